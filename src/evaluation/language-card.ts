/** The scorecard of a language model that sees and draws: test scenes, held-out style, held-out pairs. */
import { describedScenes } from "../data/described-codes.ts";
import { type Atlas, createSceneSource, isHeldOutConcept, type Split } from "../data/index.ts";
import { isHeldOutText, wordNetTexts } from "../data/texts.ts";
import { openLanguageModel } from "../generation/index.ts";
import type { SeedLanguageModel } from "../seed-language-model.ts";
import {
  type CodedScene,
  describingScores,
  drawingScores,
  type Progress,
  questionScores,
  type Speaker,
  spanScores,
} from "./language-scores.ts";
import { nounList } from "./noun-list.ts";
import { type TextScore, textPerplexity } from "./text-perplexity.ts";

export interface LanguageCardOptions {
  /** The drawings that scenes are made of. */
  readonly atlas: Atlas;
  /** Scenes that are described and asked about, in each split. */
  readonly count: number;
  /** Prompts that are drawn; each is painted three times. */
  readonly drawings: number;
  /** Prompts that are drawn without any rule, to see whether a picture comes out. */
  readonly spans: number;
  /** The first n everyday nouns, those of the recipe; 0 for the full table. */
  readonly nouns: number;
  readonly report?: (line: string) => void;
}

const SPLITS: readonly Split[] = ["test", "held-out-style", "held-out-pairs"];
const SECONDS = 10;
/** Of each held-out gloss so many tokens are foretold, of so many glosses. */
const [TEXT_TOKENS, TEXTS] = [24, 160];

export async function languageCard(
  model: SeedLanguageModel,
  options: LanguageCardOptions,
): Promise<Record<string, unknown>> {
  const { atlas, count, drawings, spans, report } = options;
  const list = nounList(options.nouns);
  const known = list.filter((noun) => !isHeldOutConcept(noun));
  const size = model.tokenizer.config.vision.imageSize;
  const speaker = speakerOf(model);
  const scores: Record<string, unknown> = { nouns: known.length, scenes: count };
  scores.text = await textScores(model, report);
  for (const split of SPLITS) {
    const source = createSceneSource(atlas, { size, nouns: list, split });
    const rows = await describedScenes((images) => model.tokenizer.encode(images), source, 0, count);
    const scenes: CodedScene[] = rows.map(({ codes }, i) => ({ scene: source.scene(i), codes }));
    const progress = every(SECONDS, report);
    scores[`captions ${split}`] = await describingScores(speaker, scenes, known, progress(`captions, ${split}`));
    scores[`questions ${split}`] = await questionScores(speaker, scenes, progress(`questions, ${split}`));
    if (split === "held-out-style") continue; // a prompt has no style
    const some = scenes.slice(0, drawings);
    const drawn = progress(`drawings, ${split}`);
    scores[`drawings ${split}`] = await drawingScores(speaker, model.tokenizer, some, known, drawn);
  }
  const prompts = createSceneSource(atlas, { size, nouns: list, split: "test" });
  const captions = Array.from({ length: spans }, (_, i) => prompts.scene(i).caption);
  scores.spans = await spanScores(speaker, captions, every(SECONDS, report)("drawings without a rule"));
  return scores;
}

/** Held-out glosses of WordNet: the base alone, and with what it learned of pictures. */
async function textScores(
  { folders }: SeedLanguageModel,
  report: LanguageCardOptions["report"],
): Promise<{ readonly base: TextScore; readonly adapted: TextScore }> {
  const texts = (await wordNetTexts()).filter(isHeldOutText);
  const score = async (adapter?: string): Promise<TextScore> => {
    const opened = await openLanguageModel(folders.lm, adapter === undefined ? {} : { adapter });
    try {
      const ids = texts.map((text) => opened.tokenizer.encode(text)).filter(({ length }) => length >= TEXT_TOKENS);
      return await textPerplexity(opened, ids.slice(0, TEXTS), TEXT_TOKENS);
    } finally {
      await opened.close();
    }
  };
  const scores = { base: await score(), adapted: await score(folders.adapter) };
  report?.(
    `texts: perplexity ${scores.base.perplexity.toFixed(1)} before, ${scores.adapted.perplexity.toFixed(1)} after`,
  );
  return scores;
}

/** The model as scoring asks it. */
export function speakerOf(model: SeedLanguageModel): Speaker {
  const certain = { temperature: 0, maxTokens: 60 } as const;
  return {
    describe: async (codes) => (await model.describe([{ codes }], certain))[0]!,
    async ask(codes, question) {
      if (codes) return model.ask({ codes }, question, certain);
      let text = "";
      const turns = [{ role: "user", parts: [question] }] as const;
      for await (const event of model.chat(turns, { ...certain, images: "never" }))
        if (event.kind === "text") text += event.text;
      return text.trim();
    },
    draw: async (prompt) => (await model.drawCodes(prompt))[0]!.codes,
    async drawsWellFormed(prompt) {
      const turns = [{ role: "user", parts: [model.request(prompt)] }] as const;
      const kinds: string[] = [];
      // The picture itself is not looked at, so one step of painting is enough.
      for await (const { kind } of model.chat(turns, { images: "free", maxTokens: 60, steps: 1 })) kinds.push(kind);
      return kinds.includes("image") && !kinds.includes("broken");
    },
  };
}

/** Says how far a part is, at most once in so many seconds. */
function every(seconds: number, report: LanguageCardOptions["report"]): (what: string) => Progress {
  let last = Date.now();
  return (what) => (done, total) => {
    if (Date.now() - last < 1000 * seconds && done < total) return;
    last = Date.now();
    report?.(`${what}: ${done}/${total}`);
  };
}
