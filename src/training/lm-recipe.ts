/** Recipes of language models. */
import { z } from "zod";
import type { LlamaConfig } from "../models/llama.ts";
import { SEED_LORA } from "../models/lora.ts";
import { describing } from "../text/lm-manifest.ts";
import { hashOf } from "./data/feature-cache.ts";
import { checkRecipe, count, learnedFrom, readRecipe, recipeKeys, share } from "./recipe.ts";

/** Sizes of a model of the Llama family whose vocabulary is learned from the texts. */
const sizes = z.strictObject({
  /** Tokens of the vocabulary. */
  vocabulary: count,
  width: count,
  layers: count,
  heads: count,
  kvHeads: count,
  intermediate: count,
  context: count,
});

const pretrain = z.strictObject({
  stage: z.literal("lm-pretrain"),
  ...recipeKeys,
  lm: sizes,
  /** Tokens of a sequence. */
  length: count,
  texts: z.strictObject({
    /** Scenes whose captions, questions and answers are texts among the others. */
    scenes: z.int().min(0),
    /** The first n everyday nouns; 0 for the full table. */
    nouns: z.int().min(0),
    /** Every fact about the nouns stands so many times among the texts. */
    factsTimes: count.default(1),
    /** Share of the glosses of WordNet, for trying out. */
    wordNetShare: share.default(1),
    /** Share of scenes before whose text their words stand as a list, out of order and with strange ones among them. */
    listed: share.default(0),
    /** Questions in the text of a scene, all if left out. */
    mostQuestions: z.int().min(0).optional(),
    /** Lists are read and not learned, and every text is a sequence of its own, so that none is cut from its list. */
    readLists: z.boolean().default(false),
  }),
  /** Held-out sequences that measure the perplexity. */
  validation: count.default(200),
});

export type LmPretrainRecipe = z.infer<typeof pretrain>;

/** The stages in which a frozen model learns to see and to draw, by LoRA. arXiv 2307.08041 section 3.3. */
export const TUNING_STAGES = ["see", "see-and-draw", "instruct"] as const;

const tuning = z.strictObject({
  stage: z.enum(TUNING_STAGES),
  ...recipeKeys,
  /** The frozen model, in the chain's folder; the command's --base names another. */
  base: z.string().default("lm-pretrain/model"),
  /** How turns are written: as SEED-LLaMA does, or as the model's own ChatML. */
  template: z.enum(["seed", "chatml"]).default("seed"),
  lora: z
    .strictObject({
      rank: count.default(SEED_LORA.rank),
      alpha: z.number().positive().default(SEED_LORA.alpha),
      dropout: z.number().min(0).max(0.9).default(SEED_LORA.dropout),
    })
    .prefault({}),
  /** Tokens of a sequence; what is longer loses its end. */
  length: count,
  data: z.strictObject({
    /** The first n everyday nouns; 0 for the full table. */
    nouns: z.int().min(0),
    /** Scenes whose codes are computed once. */
    scenes: count,
    /** Scenes of unseen seeds that measure the perplexity. */
    validation: count.default(200),
  }),
  /** What codes are to the model: new rows of its vocabulary (SEED-LLaMA), or a projection of the codebook (SEED-OPT). */
  codeWords: z.enum(["rows", "projection"]).default("rows"),
  /** How new rows begin: as small noise, or as the words that go with each code in the training captions (ours). */
  rowsStart: z.enum(["noise", "words"]).default("noise"),
  /** Factor on the rate of new rows: each is met rarely, so it learns little at the rate of the rest. */
  rowsRate: z.number().positive().default(1),
  /** Nats by which codes are raised, while learning, where a word is to be said, and words where a code is. */
  kindMargin: z.number().min(0).default(0),
  /** Share of sequences in which the model draws. Stage `see` has none. */
  drawShare: share.default(0.5),
  /** Share of conversations about a picture that begin with the request to describe it, 0.5 if left out. Stage `instruct`. */
  describeShare: share.optional(),
  /** Share of the sequences about pictures for which one with three kinds of things or more is taken; the rest is as it comes. */
  manyShare: share.default(0),
  /** Share of sequences that are plain text, glosses of WordNet, so that the model does not forget how to speak of others. */
  textShare: share.default(0),
  /** How the adapter describes pictures if nothing else is asked for; see seedling.json. Nothing that training reads. */
  describing: describing.optional(),
});

export type TuningRecipe = z.infer<typeof tuning>;

/** @throws InputError naming each unknown or wrong key; SetupError if the file is missing. */
export function loadLmRecipe(path: string): Promise<{ recipe: LmPretrainRecipe; identity: string }> {
  return load(pretrain, path);
}

/** @throws InputError naming each unknown or wrong key; SetupError if the file is missing. */
export function loadTuningRecipe(path: string): Promise<{ recipe: TuningRecipe; identity: string }> {
  return load(tuning, path);
}

async function load<T extends z.infer<z.ZodObject<typeof recipeKeys>>>(
  schema: z.ZodType<T>,
  path: string,
): Promise<{ recipe: T; identity: string }> {
  const recipe = checkRecipe(schema, await readRecipe(path), path);
  return { recipe, identity: hashOf(JSON.stringify(learnedFrom(recipe))) };
}

/** The stage that a recipe file names, before it is known which kind of recipe it is. */
export async function stageOf(path: string): Promise<unknown> {
  const json = await readRecipe(path);
  return typeof json === "object" && json !== null ? (json as { stage?: unknown }).stage : undefined;
}

export function llamaSizes({ lm }: LmPretrainRecipe, vocabulary: number): LlamaConfig {
  return {
    kind: "llama",
    ...lm,
    vocabulary,
    tied: true,
    headWidth: lm.width / lm.heads,
    eps: 1e-5,
    ropeBase: 10_000,
  };
}
