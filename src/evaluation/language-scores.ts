/**
 * What a language model says of pictures and draws from captions, against what the scenes show, each beside a trivial
 * answer: the question without the picture, the picture painted from the caption itself.
 */
import type { Codes } from "../codes/index.ts";
import { onePhrase } from "../data/phrases.ts";
import type { Question } from "../data/questions.ts";
import type { Scene } from "../data/scenes.ts";
import type { RgbImage } from "../image/index.ts";
import type { SeedTokenizer } from "../seed-tokenizer.ts";
import { type CaptionScores, captionScores } from "./read-caption.ts";
import { dot, unitRows } from "./retrieval.ts";

/** A model that was taught to see and to draw, as scoring asks it. Greedy answers, so that scores can be repeated. */
export interface Speaker {
  /** What each picture shows. */
  describe(pictures: readonly Codes[], progress?: Progress): Promise<readonly string[]>;
  /** Answers; without codes to the question alone. */
  ask(asked: readonly Asked[], progress?: Progress): Promise<readonly string[]>;
  /** The codes of the picture that each prompt asks for. */
  draw(prompts: readonly string[], progress?: Progress): Promise<readonly Codes[]>;
  /** Whether each drawing without any rule is `<img>`, 32 codes, `</img>`. */
  drawsWellFormed(prompts: readonly string[], progress?: Progress): Promise<readonly boolean[]>;
}

export interface Asked {
  readonly codes?: Codes;
  readonly question: string;
}

/** A scene and the codes of its picture. */
export interface CodedScene {
  readonly scene: Scene;
  readonly codes: Codes;
}

export type Progress = (done: number, total: number) => void;

export interface DescribingScores extends CaptionScores {
  /** The baseline: what was said of the next picture. */
  readonly ofOthers: CaptionScores;
  readonly examples: readonly { readonly said: string; readonly caption: string }[];
}

export async function describingScores(
  speaker: Speaker,
  scenes: readonly CodedScene[],
  nouns: readonly string[],
  progress?: Progress,
): Promise<DescribingScores> {
  const said = await speaker.describe(
    scenes.map(({ codes }) => codes),
    progress,
  );
  const shown = scenes.map(({ scene }) => scene);
  const scores = captionScores(said, shown, nouns);
  const ofOthers = captionScores([...said.slice(1), ...said.slice(0, 1)], shown, nouns);
  const examples = scenes.slice(0, 8).map(({ scene }, i) => ({ said: said[i]!, caption: scene.caption }));
  return { ...scores, ofOthers, examples };
}

export interface QuestionScores {
  readonly questions: number;
  /** Percent right. */
  readonly seeing: number;
  /** The same model without the picture. */
  readonly questionOnly: number;
  readonly kinds: Readonly<
    Record<string, { readonly questions: number; readonly seeing: number; readonly questionOnly: number }>
  >;
}

export async function questionScores(
  speaker: Speaker,
  scenes: readonly CodedScene[],
  progress?: Progress,
): Promise<QuestionScores> {
  const asked = scenes.flatMap(({ scene, codes }) => scene.questions.map((own) => ({ ...own, codes })));
  const seen = await speaker.ask(asked, progress);
  // Without a picture the same question has the same answer.
  const alone = [...new Set(asked.map(({ question }) => question))];
  const saidAlone = await speaker.ask(alone.map((question) => ({ question })));
  const blind = new Map(alone.map((question, i) => [question, saidAlone[i]!]));
  const kinds = new Map<string, { questions: number; seeing: number; questionOnly: number }>();
  for (const [i, { kind, question, answer }] of asked.entries()) {
    const tally = kinds.get(kind) ?? { questions: 0, seeing: 0, questionOnly: 0 };
    kinds.set(kind, tally);
    tally.questions++;
    if (isRight(seen[i]!, answer)) tally.seeing++;
    if (isRight(blind.get(question)!, answer)) tally.questionOnly++;
  }
  const all = [...kinds.values()];
  const sum = (of: (tally: (typeof all)[number]) => number): number =>
    all.reduce((total, tally) => total + of(tally), 0);
  const questions = sum((tally) => tally.questions);
  const percent = (part: number, whole: number): number => (100 * part) / Math.max(whole, 1);
  return {
    questions,
    seeing: percent(
      sum((tally) => tally.seeing),
      questions,
    ),
    questionOnly: percent(
      sum((tally) => tally.questionOnly),
      questions,
    ),
    kinds: Object.fromEntries(
      [...kinds].map(([kind, { questions: n, seeing, questionOnly }]) => [
        kind,
        { questions: n, seeing: percent(seeing, n), questionOnly: percent(questionOnly, n) },
      ]),
    ),
  };
}

/** As open answers are scored: letters and digits only, no article, small letters. */
function isRight(said: string, answer: Question["answer"]): boolean {
  const plain = (text: string): string =>
    text
      .toLowerCase()
      .replace(/[^a-z0-9 ]/g, "")
      .replace(/\b(a|an|the|some)\b/g, "")
      .replace(/\s+/g, " ")
      .trim();
  return plain(said) === plain(answer);
}

/** Ranks within which a thing of the prompt counts as found. */
const FOUND = 5;

/**
 * Percent of the prompts' things that the frozen CLIP pair finds in the pictures: the thing's name is among the five that
 * lie nearest to the picture.
 */
export async function foundThings(
  tokenizer: SeedTokenizer,
  pictures: readonly RgbImage[],
  scenes: readonly Pick<Scene, "objects">[],
  nouns: readonly string[],
): Promise<number> {
  const width = tokenizer.config.clipWidth;
  const unit = (rows: readonly Float32Array[]): Float32Array[] => rows.map((row) => unitRows(row, width)[0]!);
  const seen = unit(await tokenizer.clipImage(pictures));
  const names = unit(await tokenizer.clipText(nouns.map((noun) => onePhrase(noun))));
  let [found, wanted] = [0, 0];
  for (const [i, { objects }] of scenes.entries()) {
    const nearness = names.map((name) => dot(name, seen[i]!));
    for (const noun of new Set(objects.map((object) => object.noun))) {
      const own = nearness[nouns.indexOf(noun)];
      if (own === undefined) continue;
      wanted++;
      if (nearness.filter((other) => other > own).length < FOUND) found++;
    }
  }
  return (100 * found) / Math.max(wanted, 1);
}

export interface DrawingScores {
  readonly prompts: number;
  /** Percent of things found, in pictures of codes that the model wrote, ... */
  readonly drawn: number;
  /** ... of codes of a real picture of the prompt, ... */
  readonly realCodes: number;
  /** ... and in pictures that the diffusion model paints from the caption. */
  readonly fromCaption: number;
  /** ... and in the real pictures themselves. */
  readonly originals: number;
}

export async function drawingScores(
  speaker: Speaker,
  tokenizer: SeedTokenizer,
  scenes: readonly CodedScene[],
  nouns: readonly string[],
  progress?: Progress,
): Promise<DrawingScores> {
  const drawn = await speaker.draw(
    scenes.map(({ scene }) => scene.caption),
    progress,
  );
  const shown = scenes.map(({ scene }) => scene);
  const found = (pictures: readonly RgbImage[]): Promise<number> => foundThings(tokenizer, pictures, shown, nouns);
  const originals = shown.map(({ pixels, size }) => ({ width: size, height: size, data: pixels }));
  return {
    prompts: scenes.length,
    drawn: await found(await tokenizer.decode(drawn)),
    realCodes: await found(await tokenizer.decode(scenes.map(({ codes }) => codes))),
    fromCaption: await found(await tokenizer.paint(shown.map(({ caption }) => caption))),
    originals: await found(originals),
  };
}

export interface SpanScores {
  readonly spans: number;
  /** Percent of drawings that are well formed without any rule: how well causal codes can be written one by one. */
  readonly wellFormed: number;
}

export async function spanScores(
  speaker: Speaker,
  prompts: readonly string[],
  progress?: Progress,
): Promise<SpanScores> {
  const right = (await speaker.drawsWellFormed(prompts, progress)).filter(Boolean).length;
  return { spans: prompts.length, wellFormed: (100 * right) / Math.max(prompts.length, 1) };
}
