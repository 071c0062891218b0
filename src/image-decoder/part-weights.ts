/** The weights of one part of a diffusers folder: whichever file diffusers or transformers wrote, by the names of our models. */
import { SetupError } from "../base/errors.ts";
import { exists } from "../io/files.ts";
import { join } from "../io/paths.ts";
import { openSafetensors, openShardedSafetensors, type SafetensorsFile } from "../weights/index.ts";
import { type CheckedWeights, checkedWeights, type StoredNames } from "../weights/mapped/weights.ts";

export interface StoredPart extends StoredNames {
  /** Name and shape of every tensor that is needed. */
  readonly shapes: readonly (readonly [string, readonly number[]])[];
}

/** Full precision goes first; an index names shards. Both libraries have moved "fp16" within the name. */
const ENDINGS = [
  "safetensors",
  "safetensors.index.json",
  "fp16.safetensors",
  "safetensors.index.fp16.json",
  "safetensors.fp16.index.json",
];

/** @throws SetupError if there are none; CheckpointError listing every missing, extra and misshaped tensor. */
export async function partWeights(folder: string, { shapes, rename, other }: StoredPart): Promise<CheckedWeights> {
  const isOther = (name: string): boolean => isBuffer(name) || (other?.(name) ?? false);
  return checkedWeights(await findWeights(folder), shapes, { rename, other: isOther });
}

/** Older versions of transformers stored position ids. */
export function isBuffer(name: string): boolean {
  return name.endsWith(".position_ids");
}

/** Names of a part's safetensors file or index, the best first: those of diffusers' models, then transformers'. */
export const WEIGHT_NAMES: readonly string[] = ["diffusion_pytorch_model", "model"].flatMap((stem) =>
  ENDINGS.map((ending) => `${stem}.${ending}`),
);

/** Names of the files that PyTorch saves, the best first. `seedling import` reads them; nothing is opened from them. */
export const TORCH_NAMES: readonly string[] = ["bin", "fp16.bin"].flatMap((ending) =>
  ["diffusion_pytorch_model", "pytorch_model"].map((stem) => `${stem}.${ending}`),
);

/** The safetensors file or index of a part. @throws SetupError if there is none. */
export async function findWeights(folder: string): Promise<string> {
  for (const path of WEIGHT_NAMES.map((name) => join(folder, name))) if (await exists(path)) return path;
  throw new SetupError(
    `${folder}: expected diffusion_pytorch_model.safetensors or model.safetensors, found none. Copy the safetensors files too, or make them with seedling import.`,
  );
}

export function openPart(path: string): Promise<SafetensorsFile> {
  return path.endsWith(".json") ? openShardedSafetensors(path) : openSafetensors(path);
}
