/**
 * A chain: stages in order, what their results become (a quantized language model, a model folder), how that is evaluated
 * and which scores are expected. A folder with `chain.json`, one recipe a stage and `model.json`; or the same in memory.
 */
import { join } from "node:path";
import { z } from "zod";
import { InputError } from "../../base/errors.ts";
import { parseWith, readJsonFile } from "../../io/json-file.ts";
import { parseModelSizes } from "../recipe/model-sizes.ts";
import { type StageRecipe, scaledRecipe, shortenedRecipe, splitRecipe, stageRecipe } from "../recipe/stage-recipe.ts";
import type { StageDefinition } from "../stages/definition.ts";
import { STAGES } from "../stages/registry.ts";
import { findRecipe, readRecipe } from "./read-recipe.ts";

const count = z.int().min(1);

/** A score and what it has to be, within the chain's tolerance. */
const bound = z.strictObject({ atLeast: z.number().optional(), atMost: z.number().optional() });

const plan = z.strictObject({
  /** A one-line description. */
  about: z.string(),
  /** Names of stages, or of recipes next to this file. */
  stages: z.array(z.string()).min(1),
  /** The model folder: which head conditions the diffusion model ("none": no pictures), and how weights are stored. Absent: none is made. */
  assemble: z
    .strictObject({
      head: z.enum(["image", "text", "draft", "none"]).default("image"),
      dtype: z.enum(["F32", "F16"]).default("F16"),
    })
    .optional(),
  /** The frozen language model: the finished stage it comes from, and how it is quantized before anything is tuned on it. */
  languageModel: z
    .strictObject({
      from: z.string(),
      bits: z.union([z.literal(4), z.literal(8)]),
      block: count.optional(),
      /** Names of tensors that stay as they are. */
      keep: z.string().optional(),
    })
    .optional(),
  /** What is measured at the end, on built-in scenes. */
  evaluate: z
    .strictObject({
      /** The first n everyday nouns; 0 for the full table. */
      nouns: z.int().min(0),
      sections: z.array(z.string()).min(1),
      /** Scenes for retrieval, for reconstruction, and for the codebook; training pictures of the pixel baselines. */
      scenes: count,
      pictures: count,
      codes: count,
      gallery: count,
      /** Scenes that the language model describes and is asked about, prompts that it draws, prompts drawn without a rule. */
      language: z.strictObject({ scenes: count, drawings: count, spans: count }).optional(),
    })
    .optional(),
  /** For the user's own pictures: how their number and a budget of hours determine the recipes (plan.ts). */
  plan: z
    .strictObject({
      hours: z.number().positive(),
      /** Share of the hours, and examples per second as measured on two cores of an AMD EPYC. */
      stages: z.record(z.string(), z.strictObject({ share: z.number().positive(), perSecond: z.number().positive() })),
    })
    .optional(),
  /** Scores ("clip/recallMean", "tokenizer/retrieval test/codes/mean") that a run has to reach. */
  expected: z.record(z.string(), bound).default({}),
  /** Share by which a bound may be missed. */
  tolerance: z.number().min(0).max(1).default(0),
});

export type ChainPlan = Omit<z.output<typeof plan>, "stages">;
export type Bound = z.output<typeof bound>;
export type EvaluationPlan = NonNullable<ChainPlan["evaluate"]>;

export interface Chain extends ChainPlan {
  readonly recipes: readonly StageRecipe[];
  /** A trial run: shortened, so that the bounds mean nothing. */
  readonly tryout: boolean;
  /** Its folder, for messages. */
  readonly where: string;
}

const parse = parseWith(plan);

/** @throws InputError naming each unknown or wrong key, or a recipe that is missing */
export async function readChain(folder: string, stages: readonly StageDefinition[] = STAGES): Promise<Chain> {
  const found = await findRecipe(folder);
  const path = join(found, "chain.json");
  const { stages: names, ...rest } = parse(await readJsonFile(path), path);
  const recipes = await Promise.all(names.map((name) => readRecipe(join(found, `${name}.json`), stages)));
  return { ...rest, recipes: recipesInOrder(recipes, path), tryout: false, where: folder };
}

export interface ChainJson {
  /** Content of chain.json; `stages` may be left out: all recipes in their order. */
  readonly chain: Readonly<Record<string, unknown>>;
  /** Name of each stage's recipe -> its content. */
  readonly recipes: Readonly<Record<string, unknown>>;
  /** Content of model.json. */
  readonly model?: unknown;
}

/** A chain made in memory. @param where stands for its folder in messages */
export function chainOf(
  { chain, recipes, model }: ChainJson,
  where: string,
  stages: readonly StageDefinition[] = STAGES,
): Chain {
  const { stages: names, ...rest } = parse({ stages: Object.keys(recipes), ...chain }, where);
  const sizes = model === undefined ? undefined : parseModelSizes(model, `${where}: model`);
  const read = names.map((name) => {
    const at = `${where}: ${name}`;
    return stageRecipe(splitRecipe(recipes[name], at), at, { stages, sizes });
  });
  return { ...rest, recipes: recipesInOrder(read, where), tryout: false, where };
}

/** The chain with a share of its steps, caches and scenes, or with a given number of steps in every phase, to try it out. */
export function triedChain(
  chain: Chain,
  { scale = 1, steps }: { readonly scale?: number; readonly steps?: number },
): Chain {
  if (scale === 1 && steps === undefined) return chain;
  const recipes = chain.recipes.map((recipe) => {
    const scaled = scaledRecipe(recipe, scale);
    return steps === undefined ? scaled : shortenedRecipe(scaled, steps);
  });
  const few = (n: number): number => Math.max(Math.min(n, LEAST), Math.round(n * scale));
  const evaluate = chain.evaluate && {
    ...chain.evaluate,
    ...{ scenes: few(chain.evaluate.scenes), pictures: few(chain.evaluate.pictures) },
    ...{ codes: few(chain.evaluate.codes), gallery: few(chain.evaluate.gallery) },
    language: chain.evaluate.language && {
      ...{ scenes: few(chain.evaluate.language.scenes), drawings: few(chain.evaluate.language.drawings) },
      spans: few(chain.evaluate.language.spans),
    },
  };
  return { ...chain, recipes, evaluate, tryout: true };
}

/** Scores of fewer scenes mean nothing. */
const LEAST = 16;

/**
 * @param earlier stages that are finished elsewhere
 * @throws InputError if a stage comes before one that it needs, or twice
 */
export function recipesInOrder(
  recipes: readonly StageRecipe[],
  where: string,
  earlier: readonly string[] = [],
): readonly StageRecipe[] {
  const names = recipes.map(({ name }) => name);
  for (const [i, { name, definition, continues }] of recipes.entries()) {
    if (names.indexOf(name) < i) throw new InputError(`${where}: stages: expected each once, got ${name} twice.`);
    for (const needed of [...definition.needs, ...(continues === undefined ? [] : [continues])])
      if (!earlier.includes(needed) && names.indexOf(needed) >= i)
        throw new InputError(`${where}: stages: expected ${needed} before ${name}, which builds on it.`);
  }
  return recipes;
}
