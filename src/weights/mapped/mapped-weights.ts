/** Tensors of safetensors files, mapped in place by ONNX Runtime: no copy, shards too. */
import { CheckpointError } from "../../base/errors.ts";
import type { WeightSource } from "../../runtime/index.ts";
import type { TensorInfo } from "../index.ts";
import { placesOf } from "./places.ts";

const DTYPES = { F32: "f32", F16: "f16", BF16: "bf16" } as const;

/**
 * tensors: by the names of the model that reads them; `path` is what messages call them.
 * @throws CheckpointError for tensors that are not floats, or whose files are in several folders.
 */
export async function mappedWeights(path: string, tensors: ReadonlyMap<string, TensorInfo>): Promise<WeightSource> {
  const odd = [...tensors].find(([, { dtype, offset }]) => !(dtype in DTYPES) || offset === undefined);
  if (odd)
    throw new CheckpointError(
      `${path}: expected safetensors of F32, F16 or BF16, got ${odd[1].dtype} for ${odd[0]}. Convert the files.`,
    );
  const places = await placesOf(path, tensors.values());
  return {
    folder: places.folder,
    get(name) {
      const info = tensors.get(name);
      return info && { dtype: DTYPES[info.dtype as keyof typeof DTYPES], data: places.of(info) };
    },
  };
}
