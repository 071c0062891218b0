/**
 * How well a language model describes pictures and draws captions, compared with what the scenes show, each next to a
 * trivial answer: the question without the picture, the picture sampled from the caption itself.
 */

import { entry, item } from "../base/item.ts";
import { dot } from "../base/vectors.ts";
import type { Codes } from "../codes/index.ts";
import { onePhrase } from "../data/phrases.ts";
import type { Question } from "../data/questions.ts";
import type { Scene } from "../data/scenes.ts";
import type { RgbImage } from "../image/index.ts";
import type { SeedTokenizer } from "../image-tokenizer/seed-tokenizer.ts";
import { type CaptionScores, captionScores } from "./metrics/read-caption.ts";
import { unitRows } from "./metrics/retrieval.ts";

/** A model that sees and draws, in the form that scoring uses. Seeds are fixed, so that scores are reproducible. */
export interface Speaker {
  /** What each picture shows: the best of several descriptions. */
  describe(pictures: readonly Codes[], progress?: Progress): Promise<readonly string[]>;
  /** The same without sampling: the likeliest token each time. */
  describeOnce(pictures: readonly Codes[], progress?: Progress): Promise<readonly string[]>;
  /** Answers; without codes to the question alone. */
  ask(asked: readonly Asked[], progress?: Progress): Promise<readonly string[]>;
  /** The codes of the picture that each prompt asks for. */
  draw(prompts: readonly string[], progress?: Progress): Promise<readonly Codes[]>;
  /** The codes of a drawing without any rule; undefined if it is not `<img>`, 32 codes, `</img>`. */
  drawFreely(prompts: readonly string[], progress?: Progress): Promise<readonly (Codes | undefined)[]>;
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
  /** Of one description, greedily decoded, instead of the best of several. */
  readonly once: CaptionScores;
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
  const pictures = scenes.map(({ codes }) => codes);
  const said = await speaker.describe(pictures, progress);
  const saidOnce = await speaker.describeOnce(pictures, progress);
  const shown = scenes.map(({ scene }) => scene);
  const scores = captionScores(said, shown, nouns);
  const ofOthers = captionScores([...said.slice(1), ...said.slice(0, 1)], shown, nouns);
  const examples = scenes.slice(0, 8).map(({ scene }, i) => ({ said: item(said, i), caption: scene.caption }));
  return { ...scores, once: captionScores(saidOnce, shown, nouns), ofOthers, examples };
}

export interface QuestionScores {
  readonly questions: number;
  /** Percent right. */
  readonly seeing: number;
  /** The same model without the picture. */
  readonly questionOnly: number;
  /** No model at all: see `likeliestAnswers`, of training scenes. */
  readonly likeliest: number;
  readonly kinds: Readonly<Record<string, Omit<QuestionScores, "kinds">>>;
}

/** An answer to a question, without a model and without the picture. */
export type Habit = (question: Pick<Question, "kind" | "question">) => string;

/** The answer that these scenes have most often to the same question; to one that none of them has, that to its kind. */
export function likeliestAnswers(scenes: Iterable<Pick<Scene, "questions">>): Habit {
  const counts = new Map<string, Map<string, number>>();
  const count = (key: string, answer: string): void => {
    const answers = counts.get(key) ?? new Map<string, number>();
    counts.set(key, answers.set(answer, (answers.get(answer) ?? 0) + 1));
  };
  for (const { questions } of scenes)
    for (const { kind, question, answer } of questions) {
      count(question, answer);
      count(kind, answer);
    }
  const most = new Map(
    [...counts].map(([key, answers]) => [key, [...answers].reduce((best, own) => (own[1] > best[1] ? own : best))[0]]),
  );
  return ({ kind, question }) => most.get(question) ?? most.get(kind) ?? "";
}

export async function questionScores(
  speaker: Speaker,
  scenes: readonly CodedScene[],
  habit: Habit,
  progress?: Progress,
): Promise<QuestionScores> {
  const asked = scenes.flatMap(({ scene, codes }) => scene.questions.map((own) => ({ ...own, codes })));
  const seen = await speaker.ask(asked, progress);
  // Without a picture the same question has the same answer.
  const alone = [...new Set(asked.map(({ question }) => question))];
  const saidAlone = await speaker.ask(alone.map((question) => ({ question })));
  const blind = new Map(alone.map((question, i) => [question, item(saidAlone, i)]));
  const right = asked.map(({ kind, question, answer }, i) => ({
    kind,
    seeing: isRight(item(seen, i), answer),
    questionOnly: isRight(entry(blind, question), answer),
    likeliest: isRight(habit({ kind, question }), answer),
  }));
  const percents = (some: typeof right): Omit<QuestionScores, "kinds"> => {
    const percent = (of: "seeing" | "questionOnly" | "likeliest"): number =>
      (100 * some.filter((one) => one[of]).length) / Math.max(some.length, 1);
    return {
      questions: some.length,
      seeing: percent("seeing"),
      questionOnly: percent("questionOnly"),
      likeliest: percent("likeliest"),
    };
  };
  const kinds = [...new Set(right.map(({ kind }) => kind))];
  return {
    ...percents(right),
    kinds: Object.fromEntries(kinds.map((kind) => [kind, percents(right.filter((one) => one.kind === kind))])),
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

/** Ranks within which an object of the prompt counts as found. */
const FOUND = 5;

/**
 * Percent of the prompts' objects that the frozen CLIP pair finds in the pictures: the name of the object is among the
 * five nearest to the picture.
 */
export async function foundObjects(
  tokenizer: SeedTokenizer,
  pictures: readonly RgbImage[],
  scenes: readonly Pick<Scene, "objects">[],
  nouns: readonly string[],
): Promise<number> {
  const unit = (rows: readonly Float32Array[]): Float32Array[] => rows.map((row) => item(unitRows(row, row.length), 0));
  const seen = unit(await tokenizer.clipImage(pictures));
  const names = unit(await tokenizer.clipText(nouns.map((noun) => onePhrase(noun))));
  let [found, wanted] = [0, 0];
  for (const [i, { objects }] of scenes.entries()) {
    const nearness = names.map((name) => dot(name, item(seen, i)));
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
  /** Percent of objects found, in pictures of codes that the model wrote, ... */
  readonly drawn: number;
  /** ... of codes of a real picture of the prompt, ... */
  readonly realCodes: number;
  /** ... and in pictures that the diffusion model samples from the caption. */
  readonly fromCaption: number;
  /** ... and in the real pictures themselves. */
  readonly originals: number;
}

/** Pictures of the prompts, by how they were made. */
export type DrawnPictures = Readonly<Record<"originals" | "drawn" | "realCodes" | "fromCaption", readonly RgbImage[]>>;

export async function drawingScores(
  speaker: Speaker,
  tokenizer: SeedTokenizer,
  scenes: readonly CodedScene[],
  nouns: readonly string[],
  progress?: Progress,
): Promise<DrawingScores & { readonly pictures: DrawnPictures }> {
  const codes = await speaker.draw(
    scenes.map(({ scene }) => scene.caption),
    progress,
  );
  const shown = scenes.map(({ scene }) => scene);
  const found = (pictures: readonly RgbImage[]): Promise<number> => foundObjects(tokenizer, pictures, shown, nouns);
  const pictures: DrawnPictures = {
    originals: shown.map(({ pixels, size }) => ({ width: size, height: size, data: pixels })),
    drawn: await tokenizer.decode(codes),
    realCodes: await tokenizer.decode(scenes.map((scene) => scene.codes)),
    fromCaption: await tokenizer.decodeText(shown.map(({ caption }) => caption)),
  };
  const { originals, drawn, realCodes, fromCaption } = pictures;
  return {
    prompts: scenes.length,
    drawn: await found(drawn),
    realCodes: await found(realCodes),
    fromCaption: await found(fromCaption),
    originals: await found(originals),
    pictures,
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
  const right = (await speaker.drawFreely(prompts, progress)).filter((codes) => codes !== undefined).length;
  return { spans: prompts.length, wellFormed: (100 * right) / Math.max(prompts.length, 1) };
}
