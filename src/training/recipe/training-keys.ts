/** Keys that the recipe of every stage has: how long, how fast and with which optimizer it trains. */
import { z } from "zod";
import type { LoopOptions } from "../loop/loop.ts";

export const count = z.int().min(1);
export const share = z.number().min(0).max(1);
/** Weight of a term of a loss. */
export const weight = z.number().min(0);

/** A key with its description. `scales`: what `--scale` multiplies, a count (steps, cached pictures, scenes) or a share. */
export function key<T extends z.ZodType>(schema: T, description: string, scales?: "count" | "share"): T {
  return schema.meta(scales ? { description, scales } : { description });
}

export const trainingKeys = {
  about: key(z.string().optional(), "a one-line description"),
  seed: key(z.int().min(0).default(1), "all randomness is drawn from it"),
  steps: key(count, "optimizer steps", "count"),
  batch: key(count, "examples of a micro-batch"),
  accumulate: key(count.default(1), "micro-batches of a step"),
  pieces: key(
    count.optional(),
    "pieces in which a micro-batch is computed, so that the contrast over a large batch fits into memory (GradCache, Gao et al. 2021); results differ by rounding; default 1",
  ),
  peakRate: key(z.number().positive(), "largest learning rate"),
  floorRate: key(z.number().min(0).default(0), "last learning rate: after the warm-up it falls by half a cosine"),
  warmup: key(z.int().min(0), "steps in which the learning rate rises linearly", "count"),
  weightDecay: key(z.number().min(0).default(0.05), "AdamW; vectors and scalars never decay"),
  beta1: key(z.number().min(0).max(1).default(0.9), "AdamW: decay of the first moment"),
  beta2: key(z.number().min(0).max(1).default(0.98), "AdamW: decay of the second moment"),
  eps: key(z.number().positive().default(1e-8), "AdamW: added to the root of the second moment"),
  clipNorm: key(z.number().positive().default(1), "largest norm of the gradient"),
  averageDecay: key(
    share.default(0.999),
    "decay of the moving average of weights, which is what a stage keeps; 0 for none",
  ),
  logEvery: key(count.default(50), "steps between log lines"),
  saveEvery: key(count.default(500), "steps between checkpoints"),
  evaluateEvery: key(count.default(500), "steps between evaluations"),
  expected: key(
    z.record(z.string(), z.union([z.string(), z.number()])).default({}),
    "time and scores of one run, for information",
  ),
} as const;

export type TrainingKeys = typeof trainingKeys;
export type TrainingRecipe = z.output<z.ZodObject<TrainingKeys>>;

/** Keys that do not affect what is learned: a run can be resumed when they change. */
const NOT_LEARNED = new Set(["about", "expected", "logEvery", "saveEvery", "evaluateEvery", "describing", "pieces"]);

/** The keys of a recipe that affect what is learned. */
export function learnedFrom(recipe: object): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(recipe).filter(([name]) => !NOT_LEARNED.has(name)));
}

/** The settings of the loop. */
export function loopSettings(
  recipe: TrainingRecipe,
): Pick<
  LoopOptions,
  | "seed"
  | "batch"
  | "accumulate"
  | "pieces"
  | "schedule"
  | "weightDecay"
  | "optimizer"
  | "logEvery"
  | "saveEvery"
  | "evaluateEvery"
> {
  const { seed, steps, batch, accumulate, pieces, weightDecay, logEvery, saveEvery, evaluateEvery } = recipe;
  const schedule = { steps, warmup: Math.min(recipe.warmup, steps), peak: recipe.peakRate, floor: recipe.floorRate };
  const often = { logEvery, saveEvery, evaluateEvery };
  return { seed, batch, accumulate, pieces, schedule, weightDecay, optimizer: recipe, ...often };
}
