/** The weights of one safetensors file, as ONNX Runtime maps them: in place, no copy. */
import { realpath } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { expectTensors, openSafetensors, type SafetensorsFile } from "../checkpoint/index.ts";
import { CheckpointError } from "../errors.ts";
import type { StoredWeight } from "../onnx/index.ts";
import type { WeightSource } from "../runtime/index.ts";

const DTYPES: Readonly<Record<string, StoredWeight["dtype"]>> = { F32: "f32", F16: "f16", BF16: "bf16" };

export interface CheckedWeights extends WeightSource {
  /** The numbers of one tensor. */
  readonly read: (name: string) => Promise<Float32Array>;
}

/**
 * Opens a file that must hold exactly these tensors, and may hold those that `other` accepts: parts that are not run here.
 * @throws SetupError if the file is missing; CheckpointError listing every missing, extra and misshaped tensor.
 */
export async function checkedWeights(
  path: string,
  expected: readonly (readonly [string, readonly number[]])[],
  other: (name: string) => boolean = () => false,
): Promise<CheckedWeights> {
  const wanted = new Set(expected.map(([name]) => name));
  const { tensors } = await withFile(path, async (file) => {
    const own = new Map([...file.tensors].filter(([name]) => wanted.has(name) || !other(name)));
    expectTensors({ path, tensors: own }, expected);
    return file;
  });
  const odd = [...wanted].filter((name) => !DTYPES[tensors.get(name)!.dtype]);
  if (odd.length > 0)
    throw new CheckpointError(
      `${path}: expected tensors of F32, F16 or BF16, got ${tensors.get(odd[0]!)!.dtype} for ${odd[0]}. Convert the file.`,
      odd,
    );
  // A link would lead out of the folder, where ONNX Runtime does not follow.
  const real = await realpath(path);
  return {
    folder: dirname(real),
    get(name) {
      const info = tensors.get(name);
      if (!info) return undefined;
      const { offset, byteLength } = info;
      return { dtype: DTYPES[info.dtype]!, data: { file: basename(real), offset, byteLength } };
    },
    read: (name) => withFile(path, (file) => file.readFloat32(name)),
  };
}

async function withFile<T>(path: string, use: (file: SafetensorsFile) => Promise<T>): Promise<T> {
  const file = await openSafetensors(path);
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}
