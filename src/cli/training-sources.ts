/** What `seedling train` trains on: the built-in scenes and texts, or a user's own pictures or codes. */
import { UsageError } from "../base/errors.ts";
import type { ProblemKind } from "../data/index.ts";
import { BUNDLED_MODEL, SeedTokenizer } from "../image-tokenizer/seed-tokenizer.ts";
import {
  type DescribedPictures,
  type Drawings,
  iconDrawings,
  languageTexts,
  ownCodes,
  ownPictures,
  pictureCodes,
  type Sources,
  sceneCodes,
  sceneData,
  type TrainingData,
} from "../training/index.ts";
import type { Report } from "./report.ts";

export interface SourceOptions {
  /** --data: own pictures, or one folder of own codes. */
  readonly data?: readonly string[];
  /** --model: the model folder whose codes a language model learns. Default: what the chain made, else what ships. */
  readonly model?: string;
  /** --base */
  readonly base?: string;
  readonly threads: number;
}

/** Opens own pictures at a size, px. */
export type OwnPictures = (size: number) => Promise<TrainingData>;

/** @param own the pictures of --data @param drawings what built-in scenes are made of */
export function trainingSources(options: SourceOptions, own?: OwnPictures, drawings = iconDrawings): Sources {
  const { data, base, threads } = options;
  /** Codes of own pictures, made once for all stages of a chain: by the model folder that they come from. */
  const coded = new Map<string, DescribedPictures>();
  return {
    base,
    texts: (texts, work) => languageTexts(texts, work, drawings),
    pictures: (recipe, size, pictures, work) =>
      own ? own(size) : sceneData({ ...recipe, size, pictures, drawings, ...work }),
    async describedPictures(recipe, { root, model: made, features }, work) {
      const model = options.model ?? made ?? BUNDLED_MODEL;
      const known = coded.get(model);
      if (known) return known;
      work.onProgress?.(`opening ${model}`);
      const tokenizer = await SeedTokenizer.fromPretrained(model, { threads });
      try {
        if (!data) return await sceneCodes(tokenizer, recipe, root, work, drawings, features);
        if (features !== undefined) throw new UsageError('inputs: expected "codes" with --data, got "features".');
        // A chain that made the model was given pictures; a single recipe is given codes.
        if (own && model === made) {
          const codes = await pictureCodes(tokenizer, await own(tokenizer.config.vision.imageSize), work);
          coded.set(model, codes);
          return codes;
        }
        const [folder, ...more] = data;
        if (folder === undefined || more.length > 0)
          throw new UsageError(`--data: expected one folder of codes, got ${data.length}.`);
        return await ownCodes(tokenizer, folder);
      } finally {
        await tokenizer.close();
      }
    },
  };
}

/** Own pictures, opened once for each size. */
export function ownData(sources: readonly string[], problems: Problems): OwnPictures {
  const opened = new Map<number, Promise<TrainingData>>();
  return (size) => {
    const known = opened.get(size);
    if (known) return known;
    const data = ownPictures({ sources, size, onProblem: (message, kind) => problems.add(message, kind) });
    opened.set(size, data);
    return data;
  };
}

export type { Drawings };

/** What was left out of a user's pictures: each reported once, however many stages train on them, and counted. */
export class Problems {
  readonly #report: Report;
  readonly #reported = new Set<string>();
  readonly #counts = new Map<ProblemKind, number>();

  constructor(report: Report) {
    this.#report = report;
  }

  add(message: string, kind: ProblemKind): void {
    if (this.#reported.has(message)) return;
    this.#reported.add(message);
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1);
    this.#report.warn(message);
  }

  /** "left out of --data: 1 broken image, 2 missing caption". */
  sum(): void {
    const counts = [...this.#counts].map(([kind, count]) => `${count} ${kind}`);
    if (counts.length > 0) this.#report.warn(`left out of --data: ${counts.join(", ")}`);
  }
}
