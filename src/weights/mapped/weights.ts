/** The weights of one safetensors file, as ONNX Runtime maps them: in place, no copy. Quantized ones are known by their dtype. */
import { CheckpointError } from "../../base/errors.ts";
import { realPath } from "../../io/files.ts";
import { basename, dirname } from "../../io/paths.ts";
import type { WeightSource } from "../../runtime/index.ts";
import {
  expectTensors,
  openSafetensors,
  type SafetensorsFile,
  type SafetensorsInfo,
  type StoredDtype,
} from "../index.ts";
import { readStored, scaleName, storedBits, storedShapes } from "../quantized/stored.ts";

const FLOATS = { F32: "f32", F16: "f16", BF16: "bf16" } as const;

export interface CheckedWeights extends WeightSource {
  readonly path: string;
  /** Of the model's tensors, as floats. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  /** The numbers of one tensor, as floats however they are stored. */
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
  const wanted = new Map(expected);
  const { tensors, bits } = await withFile(path, async (file) => {
    const bits = storedBits(file) ?? 8;
    const stored = expected.flatMap(([name, shape]) => storedShapes(name, shape, file.tensors.get(name), bits));
    const named = new Set(stored.map(([name]) => name));
    const own = new Map([...file.tensors].filter(([name]) => named.has(name) || !other(name)));
    expectTensors({ path, tensors: own }, stored);
    return { tensors: file.tensors, bits };
  });
  const odd = [...wanted.keys()].filter((name) => !isUnderstood(tensors.get(name)!.dtype));
  if (odd.length > 0)
    throw new CheckpointError(
      `${path}: expected tensors of F32, F16, BF16 or quantized ones, got ${tensors.get(odd[0]!)!.dtype} for ${odd[0]}. Convert the file.`,
      odd,
    );
  // A link would lead out of the folder, where ONNX Runtime does not follow.
  const real = await realPath(path);
  const place = ({ offset, byteLength }: SafetensorsInfo) => ({ file: basename(real), offset, byteLength });
  return {
    path,
    shapes: wanted,
    folder: dirname(real),
    get(name) {
      const info = tensors.get(name);
      if (!info || !wanted.has(name)) return undefined;
      const data = place(info);
      if (isFloat(info.dtype)) return { dtype: FLOATS[info.dtype], data };
      const scale = place(tensors.get(scaleName(name))!);
      if (info.dtype === "I8") return { dtype: "i8", data, scale };
      return { dtype: "blocks", bits, block: (info.shape[2]! * 8) / bits, data, scale };
    },
    read: (name) => withFile(path, (file) => readStored(file, name, wanted.get(name)?.[1] ?? 1)),
  };
}

function isFloat(dtype: StoredDtype): dtype is keyof typeof FLOATS {
  return Object.hasOwn(FLOATS, dtype);
}

function isUnderstood(dtype: StoredDtype): boolean {
  return isFloat(dtype) || dtype === "I8" || dtype === "U8";
}

async function withFile<T>(path: string, use: (file: SafetensorsFile) => Promise<T>): Promise<T> {
  const file = await openSafetensors(path);
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}
