/** Tensors where they lie in safetensors files, as ONNX Runtime maps them: in place, no copy, shards too. */
import { CheckpointError } from "../../base/errors.ts";
import { realPath } from "../../io/files.ts";
import { basename, dirname } from "../../io/paths.ts";
import type { WeightSource } from "../../runtime/index.ts";
import type { TensorInfo } from "../index.ts";

const DTYPES = { F32: "f32", F16: "f16", BF16: "bf16" } as const;

/**
 * tensors: by the names of the model that reads them; `path` is what messages call them.
 * @throws CheckpointError for tensors that are no floats, or whose files lie in several folders.
 */
export async function mappedWeights(path: string, tensors: ReadonlyMap<string, TensorInfo>): Promise<WeightSource> {
  const odd = [...tensors].find(([, { dtype, offset }]) => !(dtype in DTYPES) || offset === undefined);
  if (odd)
    throw new CheckpointError(
      `${path}: expected safetensors of F32, F16 or BF16, got ${odd[1].dtype} for ${odd[0]}. Convert the files.`,
    );
  const real = await realFiles(tensors.values());
  const folders = new Set([...real.values()].map((file) => dirname(file)));
  if (folders.size > 1) throw new CheckpointError(`${path}: expected all shards in one folder, got ${folders.size}.`);
  return {
    folder: [...folders][0] ?? dirname(path),
    get(name) {
      const info = tensors.get(name);
      if (!info) return undefined;
      const { dtype, offset, byteLength } = info as TensorInfo & { offset: number };
      return {
        dtype: DTYPES[dtype as keyof typeof DTYPES],
        data: { file: basename(real.get(info.file)!), offset, byteLength },
      };
    },
  };
}

/** Where links lead: ONNX Runtime does not follow them out of a folder. */
async function realFiles(tensors: Iterable<TensorInfo>): Promise<Map<string, string>> {
  const files = new Set([...tensors].map(({ file }) => file));
  return new Map(await Promise.all([...files].map(async (file) => [file, await realPath(file)] as const)));
}
