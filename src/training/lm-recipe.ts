/** Recipes of language models. */
import { z } from "zod";
import type { LlamaConfig } from "../models/llama.ts";
import { hashOf } from "./feature-cache.ts";
import { checkRecipe, count, readRecipe, recipeKeys, share } from "./recipe.ts";

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
  }),
  /** Held-out sequences that measure the perplexity. */
  validation: count.default(200),
});

export type LmPretrainRecipe = z.infer<typeof pretrain>;

/** @throws InputError naming each unknown or wrong key; SetupError if the file is missing. */
export async function loadLmRecipe(path: string): Promise<{ recipe: LmPretrainRecipe; identity: string }> {
  const recipe = checkRecipe(pretrain, await readRecipe(path), path);
  const { about, expected, logEvery, saveEvery, evaluateEvery, ...numbers } = recipe;
  return { recipe, identity: hashOf(JSON.stringify(numbers)) };
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
