/** What a chain reached: the scorecards of its model, as `chain.json` asks for them. */
import type { Atlas } from "../data/index.ts";
import { languageCard } from "../evaluation/language-card.ts";
import { type CardProgress, SECTIONS, type Section, scorecard } from "../evaluation/scorecard.ts";
import { BUNDLED_MODEL, SeedTokenizer } from "../image-tokenizer/seed-tokenizer.ts";
import { SeedLanguageModel } from "../language/index.ts";
import type { Device } from "../runtime/index.ts";
import { type ChainOptions, type Drawings, type EvaluationPlan, iconDrawings } from "../training/index.ts";
import { closing } from "./options.ts";

export interface EvaluationOptions {
  readonly device: Device;
  readonly threads: number;
  /** Of a chain that tunes a language model for codes of a model that it did not train. */
  readonly model?: string;
  readonly base?: string;
  /** What scenes are made of. */
  readonly drawings?: Drawings | undefined;
}

/** @param assembled whether the chain ends in a model folder; else it ends in an adapter folder */
export function chainEvaluation(options: EvaluationOptions, assembled: boolean): NonNullable<ChainOptions["evaluate"]> {
  const { device, threads, model = BUNDLED_MODEL, base, drawings = iconDrawings } = options;
  return async (folder, plan, work) => {
    const { signal, onProgress } = work;
    const show: CardProgress = (label, done, total) => {
      signal?.throwIfAborted();
      onProgress?.(`evaluating: ${label}`, done, total);
    };
    const atlas = await drawings(work);
    const load = { device, threads };
    const scores: Record<string, unknown> = {};
    if (assembled) scores.tokenizer = await tokenizerScores(folder, plan, { atlas, load, onProgress: show });
    const { language, nouns } = plan;
    if (language) {
      const [from, own] = assembled ? [folder, {}] : [model, { adapter: folder, lm: base }];
      const speaker = await SeedLanguageModel.fromPretrained(from, { ...load, ...own });
      const { scenes: count, drawings, spans } = language;
      scores.language = await closing(speaker, () =>
        languageCard(speaker, { atlas, nouns, count, drawings, spans, onProgress: show }),
      );
    }
    return scores;
  };
}

async function tokenizerScores(
  folder: string,
  plan: EvaluationPlan,
  {
    atlas,
    load,
    onProgress,
  }: {
    readonly atlas: Atlas;
    readonly load: { readonly device: Device; readonly threads: number };
    readonly onProgress: CardProgress;
  },
): Promise<Record<string, unknown>> {
  const sections = SECTIONS.filter((section: Section) => plan.sections.includes(section));
  const { nouns, scenes, pictures, codes, gallery } = plan;
  const tokenizer = await SeedTokenizer.fromPretrained(folder, load);
  const options = { atlas, nouns, gallery, onProgress, fresh: { folder, load } };
  return closing(tokenizer, () =>
    scorecard(tokenizer, sections, {
      ...options,
      ...{ count: scenes, pictures, stylePictures: pictures, codesCount: codes },
    }),
  );
}
