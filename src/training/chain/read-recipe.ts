/** Reads recipes and model sizes from files. */

import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { InputError } from "../../base/errors.ts";
import { exists } from "../../io/files.ts";
import { readJsonFile } from "../../io/json-file.ts";
import { type ModelSizes, parseModelSizes } from "../recipe/model-sizes.ts";
import {
  extendRecipe,
  type StageRecipe,
  splitRecipe,
  stageRecipe,
  type WrittenRecipe,
} from "../recipe/stage-recipe.ts";
import type { StageDefinition } from "../stages/definition.ts";
import { STAGES } from "../stages/registry.ts";

const PACKAGE = fileURLToPath(new URL("../../..", import.meta.url));
const RECIPES = join(PACKAGE, "recipes");
const MAX_BYTES = 1e6;
/** Recipes that extend recipes that extend ... */
const MAX_DEPTH = 8;

/** A recipe's file or a chain's folder at this path; or one that comes with Seedling: `recipes/mini`, `mini`, `mini/clip`. */
export async function findRecipe(path: string): Promise<string> {
  if (await exists(path)) return path;
  if (/^(\.\/)?recipes\//.test(path) && (await exists(join(PACKAGE, path)))) return join(PACKAGE, path);
  if (/^[\w-]+(\/[\w-]+)*$/.test(path))
    for (const own of [join(RECIPES, path), join(RECIPES, `${path}.json`)]) if (await exists(own)) return own;
  throw new InputError(`${path}: expected a recipe or the folder of a chain, found none. See seedling recipes.`);
}

/** @throws InputError naming each unknown or wrong key, or a file that is missing */
export async function readRecipe(path: string, stages: readonly StageDefinition[] = STAGES): Promise<StageRecipe> {
  const file = await findRecipe(path);
  const { written, model } = await readWrittenRecipe(file);
  const sizes = (await exists(model)) ? await readModelSizes(model) : undefined;
  return stageRecipe(written, path, { stages, sizes });
}

export async function readModelSizes(path: string): Promise<ModelSizes> {
  return parseModelSizes(await readJsonFile(path, MAX_BYTES), path);
}

/** A recipe merged with those that it extends, and the file with its sizes. */
export async function readWrittenRecipe(path: string, depth = 0): Promise<{ written: WrittenRecipe; model: string }> {
  if (depth === MAX_DEPTH)
    throw new InputError(`${path}: extends: expected a recipe that ends somewhere, got a circle.`);
  const written = splitRecipe(await readJsonFile(path, MAX_BYTES), path);
  const beside = (name: string): string => resolve(dirname(path), name);
  const { extends: parent, model } = written.own;
  if (parent === undefined) return { written, model: beside(model ?? "model.json") };
  const below = await readWrittenRecipe(beside(parent), depth + 1);
  return { written: extendRecipe(below.written, written), model: model ? beside(model) : below.model };
}
