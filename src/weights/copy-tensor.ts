/** A tensor of an open file on its way into a new one: renamed, perhaps converted, checked for NaN and infinity. */

import { CheckpointError } from "../base/errors.ts";
import { quote } from "../base/one-line.ts";
import { decodeTensor, elements, type StoredDtype, type TensorData, toFloat32 } from "./dtypes.ts";
import type { TensorToWrite } from "./safetensors-write.ts";
import type { TensorFile } from "./tensor-file.ts";

export interface CopyOptions {
  /** Default: the name it has. */
  readonly name?: string;
  /** What floats are stored as; default: as they are, but F64 as F32. Other numbers keep their dtype. */
  readonly floats?: "F32" | "F16" | "BF16" | undefined;
  /** Called with the number of values that are NaN or infinite, if there are any. */
  readonly onNotFinite?: (name: string, count: number) => void;
  /** Called with the number of bytes that were read. Throwing ends the copy. */
  readonly onRead?: ((byteLength: number) => void) | undefined;
}

/**
 * Nothing is read before the writer asks for it; then one tensor is in memory at a time.
 * @throws CheckpointError if the file has no tensor `from`
 */
export function copyTensor(file: TensorFile, from: string, options: CopyOptions = {}): TensorToWrite {
  const info = file.tensors.get(from);
  if (!info) throw new CheckpointError(`${file.path}: expected a tensor ${quote(from)}, found none.`);
  const { name = from, floats, onNotFinite, onRead } = options;
  const dtype = isFloat(info.dtype) ? (floats ?? (info.dtype === "F64" ? "F32" : info.dtype)) : info.dtype;
  const data = async (): Promise<TensorData> => {
    const bytes = await file.readBytes(from);
    onRead?.(bytes.length);
    const bad = onNotFinite ? countNotFinite(bytes, info.dtype) : 0;
    if (bad > 0) onNotFinite?.(name, bad);
    if (dtype === info.dtype) return elements(bytes, dtype);
    return toFloat32(decodeTensor(bytes, info.dtype, `${file.path} ${quote(from)}`));
  };
  return { name, dtype, shape: info.shape, data };
}

export function isFloat(dtype: StoredDtype): boolean {
  return dtype === "F64" || dtype === "F32" || dtype === "F16" || dtype === "BF16";
}

/** Values that are NaN or infinite: all bits of the exponent are set. Zero for dtypes that have neither. */
export function countNotFinite(bytes: Uint8Array, dtype: StoredDtype): number {
  const masks: Partial<Record<StoredDtype, number>> = { F32: 0x7f800000, F16: 0x7c00, BF16: 0x7f80 };
  const mask = masks[dtype];
  let count = 0;
  if (mask !== undefined) {
    const bits = elements(bytes, dtype === "F32" ? "U32" : "U16") as Uint32Array | Uint16Array;
    for (let i = 0; i < bits.length; i++) if ((bits[i]! & mask) === mask) count++;
  } else if (dtype === "F64") {
    for (const value of elements(bytes, dtype) as Float64Array) if (!Number.isFinite(value)) count++;
  }
  return count;
}
