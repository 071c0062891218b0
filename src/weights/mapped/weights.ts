/** The weights of one model, mapped in place by ONNX Runtime: no copy, shards too. Quantized ones are known by their dtype. */
import { CheckpointError } from "../../base/errors.ts";
import { entry, item } from "../../base/item.ts";
import type { WeightSource } from "../../runtime/index.ts";
import {
  expectTensors,
  openSafetensors,
  openShardedSafetensors,
  type SafetensorsFile,
  type StoredDtype,
} from "../index.ts";
import { readStored, scaleName, storedBits, storedShapes } from "../quantized/stored.ts";
import { placesOf } from "./places.ts";

const FLOATS = { F32: "f32", F16: "f16", BF16: "bf16" } as const;

export interface CheckedWeights extends WeightSource {
  readonly path: string;
  /** Of the model's tensors, as floats. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  /** The numbers of one tensor, as floats however they are stored. */
  readonly read: (name: string) => Promise<Float32Array>;
}

export interface StoredNames {
  /** Stored name -> ours. Default: they are the same. */
  readonly rename?: (name: string) => string;
  /** Tensors, by our names, that the file may hold and that are not run here. Default: none. */
  readonly other?: (name: string) => boolean;
}

/**
 * Opens a safetensors file, or an index with its shards, that must hold exactly the `expected` tensors, named as ours.
 * @throws InputError if the file is missing; CheckpointError listing every missing, extra and misshaped tensor.
 */
export async function checkedWeights(
  path: string,
  expected: readonly (readonly [string, readonly number[]])[],
  { rename = (name) => name, other = () => false }: StoredNames = {},
): Promise<CheckedWeights> {
  const wanted = new Map(expected);
  const { tensors, storedName, bits } = await withFile(path, async (file) => {
    const bits = storedBits(file) ?? 8;
    const tensors = new Map([...file.tensors].map(([name, info]) => [rename(name), info]));
    const storedName = new Map([...file.tensors.keys()].map((name) => [rename(name), name]));
    const stored = expected.flatMap(([name, shape]) => storedShapes(name, shape, tensors.get(name), bits));
    const named = new Set(stored.map(([name]) => name));
    const own = new Map([...tensors].filter(([name]) => named.has(name) || !other(name)));
    expectTensors({ path, tensors: own }, stored);
    return { tensors, storedName, bits };
  });
  const odd = [...wanted.keys()].filter((name) => !isUnderstood(entry(tensors, name).dtype));
  if (odd.length > 0)
    throw new CheckpointError(
      `${path}: expected tensors of F32, F16, BF16 or quantized ones, got ${entry(tensors, item(odd, 0)).dtype} for ${odd[0]}. Convert the file.`,
      odd,
    );
  const places = await placesOf(path, tensors.values());
  return {
    path,
    shapes: wanted,
    folder: places.folder,
    get(name) {
      const info = tensors.get(name);
      if (!info || !wanted.has(name)) return undefined;
      const data = places.of(info);
      if (isFloat(info.dtype)) return { dtype: FLOATS[info.dtype], data };
      const scale = places.of(entry(tensors, scaleName(name)));
      if (info.dtype === "I8") return { dtype: "i8", data, scale };
      return { dtype: "blocks", bits, block: (item(info.shape, 2) * 8) / bits, data, scale };
    },
    read: (name) =>
      withFile(path, (file) => readStored(file, storedName.get(name) ?? name, wanted.get(name)?.[1] ?? 1)),
  };
}

function isFloat(dtype: StoredDtype): dtype is keyof typeof FLOATS {
  return Object.hasOwn(FLOATS, dtype);
}

function isUnderstood(dtype: StoredDtype): boolean {
  return isFloat(dtype) || dtype === "I8" || dtype === "U8";
}

async function withFile<T>(path: string, use: (file: SafetensorsFile) => Promise<T>): Promise<T> {
  const file = await (path.endsWith(".json") ? openShardedSafetensors(path) : openSafetensors(path));
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}
