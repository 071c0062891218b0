/** A recipe is one training run as a file: what it makes, on what, with which settings, how long, with which scores. */
import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { z } from "zod";
import { InputError } from "../base/errors.ts";
import { parseUnetConfig } from "../image-decoder/unet-config.ts";
import { parseVaeConfig } from "../image-decoder/vae-config.ts";
import { parseSeedlingConfig, type SeedlingConfig } from "../models/config.ts";
import type { PixelVaeConfig } from "../models/pixel-vae.ts";
import type { UnetConfig } from "../models/unet.ts";
import { hashOf } from "./data/feature-cache.ts";
import type { LoopOptions } from "./loop/loop.ts";

export const count = z.int().min(1);
const folder = z.string().regex(/^[a-z0-9][a-z0-9-]*$/, "expected small letters, digits and dashes");
export const share = z.number().min(0).max(1);

const data = z.strictObject({
  /** The first n everyday nouns, or 0 for the full table. */
  nouns: z.int().min(0),
  /** Pictures whose frozen features are cached (stages after clip). */
  cached: count.optional(),
  /** Share of a run that begins with pictures of one kind of thing (stage clip). */
  warmupShare: share.optional(),
  /** Training pictures in a row of one kind and background, so that what they show must tell them apart. */
  likeness: count.optional(),
  /** Share of the drawings in training pictures that are drawn anew: turned, in other colors, with dark lines. */
  redrawn: share.optional(),
  validation: count.default(500),
});

/** What every recipe has, of whichever model. */
export const recipeKeys = {
  /** One line for people. */
  about: z.string(),
  /** What it stands for in the paper. */
  paper: z.string(),
  /** Folder of this run in the chain's folder, for a stage that takes more than one recipe. Default: the stage. */
  name: folder.optional(),
  /** Name of an earlier run of the same stage whose weights this one begins with. */
  continues: folder.optional(),
  seed: z.int().min(0).default(1),
  steps: count,
  batch: count,
  accumulate: count.default(1),
  peakRate: z.number().positive(),
  floorRate: z.number().min(0).default(0),
  warmup: z.int().min(0),
  weightDecay: z.number().min(0).default(0.05),
  beta1: z.number().min(0).max(1).default(0.9),
  beta2: z.number().min(0).max(1).default(0.98),
  eps: z.number().positive().default(1e-8),
  clipNorm: z.number().positive().default(1),
  averageDecay: share.default(0.999),
  logEvery: count.default(50),
  saveEvery: count.default(500),
  evaluateEvery: count.default(500),
  /** What one run took and reached, written by hand after it: for people, and for comparison. */
  expected: z.record(z.string(), z.union([z.string(), z.number()])).default({}),
};

const common = {
  ...recipeKeys,
  /** File with the sizes of the model, beside this one. */
  model: z.string(),
  data,
};

const recipeSchema = z.discriminatedUnion("stage", [
  z.strictObject({
    stage: z.literal("clip"),
    words: z.number().min(0).default(0),
    places: z.number().min(0).default(0),
    ...common,
  }),
  z.strictObject({
    stage: z.literal("causal-qformer"),
    smoothing: share.default(0.1),
    recover: z.number().min(0).default(0),
    words: z.number().min(0).default(0),
    places: z.number().min(0).default(0),
    ...common,
  }),
  z.strictObject({
    stage: z.literal("codebook"),
    start: z.enum(["uniform", "kmeans"]).default("uniform"),
    learn: z.enum(["gradient", "ema"]).default("gradient"),
    emaDecay: share.default(0.99),
    reviveAfter: z.int().min(0).default(0),
    targets: z.array(z.enum(["image", "text"])).default(["image", "text"]),
    weights: z
      .strictObject({
        codebook: z.number().min(0).default(5),
        reconstruction: z.number().min(0).default(2),
        image: z.number().min(0).default(0.5),
        text: z.number().min(0).default(0.5),
        contrast: z.number().min(0).default(0),
        words: z.number().min(0).default(0),
        places: z.number().min(0).default(0),
      })
      .prefault({}),
    ...common,
  }),
  z.strictObject({ stage: z.literal("vae"), divergence: z.number().min(0).default(2e-4), ...common }),
  z.strictObject({
    stage: z.literal("diffusion"),
    textShare: share.default(0.45),
    imageShare: share.default(0.45),
    maxWeight: z.number().positive().default(5),
    ...common,
  }),
]);

export type Recipe = z.infer<typeof recipeSchema>;

/** How long and how fast a recipe learns, as the loop wants it. @param steps fewer than the recipe says, for trying out */
export function loopSettings(
  recipe: z.infer<z.ZodObject<typeof recipeKeys>>,
  steps: number,
): Omit<LoopOptions, "run" | "runtime" | "identity" | "resume" | "signal" | "onLine"> {
  const { seed, batch, accumulate, weightDecay, logEvery, saveEvery, evaluateEvery } = recipe;
  const schedule = { steps, warmup: Math.min(recipe.warmup, steps), peak: recipe.peakRate, floor: recipe.floorRate };
  return { seed, batch, accumulate, schedule, weightDecay, optimizer: recipe, logEvery, saveEvery, evaluateEvery };
}

const modelSchema = z.strictObject({
  about: z.string(),
  model: z.record(z.string(), z.unknown()),
  unet: z.record(z.string(), z.unknown()),
  vae: z.record(z.string(), z.unknown()),
  scheduler: z.record(z.string(), z.unknown()),
});

/** The sizes in a recipe's model file; the vocabulary is that of the tokenizer. */
export interface ModelSizes {
  readonly config: (vocabulary: number) => SeedlingConfig;
  readonly unet: UnetConfig;
  readonly vae: PixelVaeConfig;
  readonly scheduler: Readonly<Record<string, unknown>>;
}

export interface LoadedRecipe {
  readonly recipe: Recipe;
  readonly sizes: ModelSizes;
  /** Hash of everything in both files that changes the numbers. */
  readonly identity: string;
}

/** @throws InputError naming each unknown or wrong key; SetupError if a file is missing. */
export async function loadRecipe(path: string): Promise<LoadedRecipe> {
  const recipe = checkRecipe(recipeSchema, await readRecipe(path), path);
  const modelPath = resolve(dirname(path), recipe.model);
  const { model, unet, vae, scheduler } = checkRecipe(modelSchema, await readRecipe(modelPath), modelPath);
  const config = (vocabulary: number): SeedlingConfig => {
    const textEncoder = { ...(model.textEncoder as object), vocabulary };
    const qformer = { ...(model.qformer as object), vocabulary };
    return parseSeedlingConfig({ ...model, textEncoder, qformer }, modelPath);
  };
  config(1); // sizes are checked before anything long begins
  const identity = hashOf(JSON.stringify([learnedFrom(recipe), model, unet, vae, scheduler]));
  return {
    recipe,
    sizes: { config, unet: parseUnetConfig(unet, modelPath), vae: parseVaeConfig(vae, modelPath), scheduler },
    identity,
  };
}

const BESIDES = new Set(["about", "expected", "logEvery", "saveEvery", "evaluateEvery", "describing"]);

/** The keys of a recipe that change what is learned: a run goes on when others change. */
export function learnedFrom(recipe: object): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(recipe).filter(([key]) => !BESIDES.has(key)));
}

export function checkRecipe<T>(schema: z.ZodType<T>, json: unknown, path: string): T {
  const result = schema.safeParse(json);
  if (result.success) {
    const { continues, name, stage } = result.data as { continues?: string; name?: string; stage?: string };
    if (continues !== undefined && continues === (name ?? stage))
      throw new InputError(`${path}: continues: expected another run, got this one. Give this one a name of its own.`);
    return result.data;
  }
  const problems = result.error.issues.map((issue) => `${issue.path.join(".") || "top level"}: ${issue.message}`);
  throw new InputError(`${path}: ${problems.slice(0, 5).join("; ")}. See docs/recipes.md for the keys.`);
}

export async function readRecipe(path: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch {
    throw new InputError(`${path}: expected a recipe file, found none. See recipes/.`);
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new InputError(`${path}: expected JSON, got ${(error as Error).message}.`);
  }
}
