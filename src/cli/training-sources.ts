/** What `seedling train` trains on: the built-in scenes and texts, or a user's own pictures or codes. */
import { UsageError } from "../base/errors.ts";
import type { ProblemKind } from "../data/index.ts";
import { SeedTokenizer } from "../image-tokenizer/seed-tokenizer.ts";
import {
  languageTexts,
  ownCodes,
  ownPictures,
  type Sources,
  sceneCodes,
  sceneData,
  type TrainingData,
} from "../training/index.ts";
import type { Report } from "./report.ts";

export interface SourceOptions {
  /** --data: own pictures, or one folder of own codes. */
  readonly data?: readonly string[];
  /** --model: the model folder whose codes a language model learns. */
  readonly model: string;
  /** --base */
  readonly base?: string;
  readonly threads: number;
}

/** Built-in pictures; a test has others. */
export type BuiltIn = NonNullable<Sources["pictures"]>;

export const builtIn: BuiltIn = (data, size, pictures, work) => sceneData({ ...data, size, pictures, ...work });

/** @param scenes what is trained on without --data */
export function trainingSources(options: SourceOptions, scenes: BuiltIn, problems: Problems): Sources {
  const { data, model, base, threads } = options;
  return {
    base,
    texts: languageTexts,
    pictures: data ? own(data, problems) : scenes,
    async describedPictures(recipe, root, work) {
      if (data && data.length > 1) throw new UsageError(`--data: expected one folder of codes, got ${data.length}.`);
      work.onProgress?.(`opening ${model}`);
      const tokenizer = await SeedTokenizer.fromPretrained(model, { threads });
      try {
        return await (data?.[0] !== undefined
          ? ownCodes(tokenizer, data[0])
          : sceneCodes(tokenizer, recipe, root, work));
      } finally {
        await tokenizer.close();
      }
    },
  };
}

/** Own pictures, opened once for each size. */
function own(sources: readonly string[], problems: Problems): BuiltIn {
  const opened = new Map<number, Promise<TrainingData>>();
  return (_, size) => {
    const known = opened.get(size);
    if (known) return known;
    const data = ownPictures({ sources, size, onProblem: (message, kind) => problems.add(message, kind) });
    opened.set(size, data);
    return data;
  };
}

/** What was left out of a user's pictures: each reported once, however many stages train on them, and counted. */
export class Problems {
  readonly #report: Report;
  readonly #told = new Set<string>();
  readonly #counts = new Map<ProblemKind, number>();

  constructor(report: Report) {
    this.#report = report;
  }

  add(message: string, kind: ProblemKind): void {
    if (this.#told.has(message)) return;
    this.#told.add(message);
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1);
    this.#report.warn(message);
  }

  /** "left out of --data: 1 broken image, 2 missing caption". */
  sum(): void {
    const counts = [...this.#counts].map(([kind, count]) => `${count} ${kind}`);
    if (counts.length > 0) this.#report.warn(`left out of --data: ${counts.join(", ")}`);
  }
}
