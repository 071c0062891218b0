/** First values of what a tuned language model learns. */
import { resolve } from "node:path";
import { InputError } from "../../base/errors.ts";
import { quote } from "../../base/one-line.ts";
import { normal } from "../../graph/index.ts";
import { hashOf } from "../../io/hash.ts";
import type { VocabularyRows } from "../../models/causal-lm.ts";
import { PICTURE_MARKS } from "../../models/code-rows.ts";
import { languageModelWeights, vocabularyPaths } from "../../models/language-model.ts";
import type { LmConfig } from "../../models/lm-config.ts";
import type { LoraConfig } from "../../models/lora.ts";
import { initialValues } from "../../nn/index.ts";
import type { LmTokenizer } from "../../text/index.ts";
import { type LmManifest, readLmManifest } from "../../text/lm-manifest.ts";
import { type Adapter, expectBase, readPeftFolder } from "../../weights/index.ts";
import type { DescribedPictures } from "../data/described-pictures.ts";
import type { TuningRecipe } from "../recipe/tuning-keys.ts";
import type { StageContext, Weights } from "../stages/definition.ts";
import type { FloatWeights } from "./float-weights.ts";
import { adapterPaths } from "./lm-stage.ts";
import { wordRows } from "./word-rows.ts";

export interface EarlierAdapter {
  readonly folder: string;
  readonly adapter: Adapter;
  readonly manifest: LmManifest;
}

interface Frozen {
  readonly path: string;
  readonly hash: string;
  readonly config: LmConfig;
}

/**
 * The adapter folder that a run begins with, if one is named.
 * @throws InputError if it belongs to another base, was taught otherwise than the recipe says, or is what the run writes
 */
export async function openEarlierAdapter(
  { adapter: folder, recipe, stageFolder }: StageContext<TuningRecipe>,
  { base, lora }: { readonly base: Frozen; readonly lora: LoraConfig },
): Promise<EarlierAdapter | undefined> {
  if (folder === undefined) return undefined;
  if (resolve(folder) === resolve(stageFolder, "adapter"))
    throw new InputError(`${folder}: expected an adapter of another run, got the one that this run writes.`);
  if (recipe.codeWords === "projection")
    throw new InputError(`${folder}: expected a recipe with codeWords "rows", which is what an adapter stores.`);
  const [adapter, manifest] = [await readPeftFolder(folder), await readLmManifest(folder)];
  const { path, hash, config } = base;
  expectBase(adapter, { path, hash, config });
  if (manifest.template !== recipe.template)
    throw new InputError(
      `${folder}: expected turns written as the recipe says (${recipe.template}), got ${manifest.template}.`,
    );
  const kind = ({ rank, alpha, targets }: LoraConfig): string =>
    `rank ${rank}, alpha ${alpha}, on ${[...targets].sort().join(" ")}`;
  if (kind(adapter.lora) !== kind(lora))
    throw new InputError(
      `${folder}: expected an adapter as the recipe says (${kind(lora)}), got ${kind(adapter.lora)}.`,
    );
  return { folder, adapter, manifest };
}

interface Learned {
  readonly config: LmConfig;
  readonly lora: LoraConfig;
}

/** What an adapter has learned; what rows share in training (a vector, a projection) begins from scratch. @throws InputError if the recipe teaches something else */
export function adapterValues(
  c: Pick<StageContext<TuningRecipe>, "dependsOn">,
  { folder, adapter: { weights } }: EarlierAdapter,
  { config, lora, rows }: Learned & { readonly rows: VocabularyRows },
): Weights {
  const paths = adapterPaths(config, lora, rows);
  const stray = [...weights.keys()].find((path) => !paths.includes(path));
  const missing = paths.find((path) => !weights.has(path) && !/\.(shared|code_projection\.weight)$/.test(path));
  if (stray) throw new InputError(`${folder}: expected weights that the recipe teaches, got ${quote(stray)}.`);
  if (missing) throw new InputError(`${folder}: expected weights of ${missing}, which the recipe teaches, found none.`);
  const values = new Map([...weights].map(([path, { data }]) => [path, data]));
  c.dependsOn("adapter", hashOf(...[...values].flat()));
  return values;
}

/** The norms of the base; new rows as `rowsStart` says, those that are left out as noise. */
export async function baseValues(
  { codeWords, rowsStart, seed }: TuningRecipe,
  { weights, tokenizer }: { readonly weights: FloatWeights; readonly tokenizer: LmTokenizer },
  { config, lora, pictures }: Learned & { readonly pictures: DescribedPictures },
): Promise<Weights> {
  const start = new Map<string, Float32Array>();
  const stored = new Set(languageModelWeights({ ...config, addedTokens: undefined }).map(([path]) => path));
  for (const path of adapterPaths(config, lora)) if (stored.has(path)) start.set(path, await weights.read(path));
  const table = vocabularyPaths(config).embeddings;
  if (codeWords !== "projection" && rowsStart === "words") {
    const embeddings = await weights.read(`${table}.weight`);
    const { width } = config;
    const encode = (caption: string): number[] => tokenizer.encode(` ${caption}`);
    const rows = wordRows({ rows: pictures.train, encode, embeddings, width, codes: pictures.codes });
    const all = initialValues(`${table}.added`, [pictures.codes + PICTURE_MARKS, width], normal(0.02), seed);
    all.set(rows); // the marks of a picture, which follow the codes, begin as noise
    start.set(`${table}.added`, all);
  }
  return start;
}
