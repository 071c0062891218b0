/** An adapter and its base: do they fit, what do they make together, and the merged model. */
import { CheckpointError, InputError } from "../base/errors.ts";
import { quote } from "../base/one-line.ts";
import { languageModelWeights, vocabularyPaths } from "../models/language-model.ts";
import type { LmConfig } from "../models/lm-config.ts";
import { isLoraPath, LoraParams, mergeLora, type Weights } from "../models/lora.ts";
import type { StoredDtype } from "./dtypes.ts";
import type { Adapter } from "./peft.ts";
import type { TensorToWrite } from "./safetensors-write.ts";
import type { TensorFile } from "./tensor-file.ts";

/** The base's sizes with the adapter's new rows, or with the vocabulary or the head that it replaces as a whole. */
export function adaptedConfig(config: LmConfig, { weights }: Pick<Adapter, "weights">): LmConfig {
  const { embeddings } = vocabularyPaths(config);
  const rows = (name: string): number | undefined => weights.get(`${embeddings}.${name}`)?.shape[0];
  return {
    ...config,
    vocabulary: rows("weight") ?? config.vocabulary,
    addedTokens: rows("added") ?? 0,
    tied: config.tied && !hasOwnHead(config, weights),
  };
}

/** A head that was trained apart from embeddings it was tied to. PEFT also stores a copy of replaced embeddings there. */
function hasOwnHead(config: LmConfig, weights: Weights): boolean {
  const [head, embeddings] = [
    weights.get("lm_head.weight"),
    weights.get(`${vocabularyPaths(config).embeddings}.weight`),
  ];
  if (!head) return false;
  if (head.data.length !== embeddings?.data.length) return true;
  return head.data.some((value, i) => value !== embeddings.data[i]);
}

/**
 * Adapter and base must fit before anything runs: each tensor of the adapter belongs to the model, and each tensor that
 * the adapter's config implies is there.
 * @throws InputError naming the hashes; CheckpointError naming every tensor that is missing, extra or misshaped
 */
export function expectBase(
  adapter: Adapter,
  base: { readonly path: string; readonly hash?: string; readonly config: LmConfig },
): void {
  const { baseHash, firstAddedToken, lora, weights } = adapter;
  if (baseHash && base.hash) expectBaseHash(base.path, baseHash, base.hash);
  const config = adaptedConfig(base.config, adapter);
  if (firstAddedToken !== undefined && firstAddedToken !== config.vocabulary)
    throw new InputError(
      `${base.path}: expected a base of ${firstAddedToken} tokens, which the adapter's new tokens follow, got ${config.vocabulary}. Name the right base.`,
    );
  const places = new Map(languageModelWeights(config, new LoraParams(lora)));
  const problems: string[] = [];
  for (const [path, { shape }] of weights) {
    if (path === "lm_head.weight" && config.tied) continue; // a copy of the embeddings
    const place = places.get(path);
    if (!place) problems.push(`${quote(path)} has no place in the model`);
    else if (place.join() !== shape.join())
      problems.push(`${quote(path)} is [${shape.join()}], the model takes [${place.join()}]`);
  }
  for (const path of places.keys())
    if ((isLoraPath(path) || path.endsWith(".added")) && !weights.has(path)) problems.push(`${quote(path)} is missing`);
  if (problems.length === 0) return;
  const more = problems.length > 3 ? `; and ${problems.length - 3} more` : "";
  throw new CheckpointError(
    `${base.path}: the adapter does not fit this base: ${problems.slice(0, 3).join("; ")}${more}. Name its own base, or an adapter of known modules.`,
    problems,
  );
}

/** @param wanted as the adapter records it @throws InputError naming both */
export function expectBaseHash(path: string, wanted: string, hash: string): void {
  if (wanted !== hash)
    throw new InputError(
      `${path}: expected the base of the adapter (hash ${wanted}), got another (${hash}). Name the right base.`,
    );
}

/**
 * Tensors of the merged model, one at a time: low-rank products added, new rows after the old ones, whole modules replaced.
 * @throws CheckpointError for a tensor of the adapter that has no counterpart in the base's file, such as a head that was tied
 */
export function mergeAdapter(
  base: Pick<TensorFile, "readFloat32"> & {
    readonly tensors: ReadonlyMap<string, { readonly shape: readonly number[] }>;
  },
  { lora, weights }: Adapter,
  dtype: StoredDtype,
): TensorToWrite[] {
  const placed = (path: string): boolean => base.tensors.has(path.replace(/\.(lora_[AB]\.weight|added)$/, ".weight"));
  const stray = [...weights.keys()].filter((path) => !placed(path));
  const [first] = stray;
  if (first !== undefined)
    throw new CheckpointError(`merging: expected a weight of the base for ${quote(first)}, found none.`, stray);
  return [...base.tensors].map(([name, { shape }]): TensorToWrite => {
    const path = name.replace(/\.weight$/, "");
    const [whole, added] = [weights.get(name), weights.get(`${path}.added`)];
    if (whole) return { name, dtype, shape: whole.shape, data: whole.data };
    const merged = async (): Promise<Float32Array> => mergeLora(path, await base.readFloat32(name), weights, lora);
    if (!added) return { name, dtype, shape, data: merged };
    const data = async (): Promise<Float32Array> => {
      const old = await merged();
      const out = new Float32Array(old.length + added.data.length);
      out.set(old);
      out.set(added.data, old.length);
      return out;
    };
    const rows = (shape[0] ?? 0) + (added.shape[0] ?? 0);
    return { name, dtype, shape: shape.with(0, rows), data };
  });
}
