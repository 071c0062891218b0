/** Number formats of stored tensors, named as in safetensors, and their typed arrays. */

import { CheckpointError } from "../base/errors.ts";
import {
  bfloat16ArrayToFloat32,
  float16ArrayToFloat32,
  float32ArrayToBfloat16,
  float32ArrayToFloat16,
} from "./float16.ts";

/** Bytes per element, as in the safetensors format; smaller ones are packed. Not all can be converted (below). */
export const DTYPE_BYTES = {
  F64: 8,
  I64: 8,
  U64: 8,
  F32: 4,
  I32: 4,
  U32: 4,
  F16: 2,
  BF16: 2,
  I16: 2,
  U16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
  F8_E4M3: 1,
  F8_E5M2: 1,
  F8_E8M0: 1,
  F8_E4M3FNUZ: 1,
  F8_E5M2FNUZ: 1,
  F6_E2M3: 0.75,
  F6_E3M2: 0.75,
  F4: 0.5,
  /** Two F32. */
  C64: 8,
} as const;

/** Listed and copied as bytes, never converted to numbers. */
export const OPAQUE: ReadonlySet<string> = new Set(
  Object.keys(DTYPE_BYTES).filter((name) => /^(F8_|F6_|F4$|C64$)/.test(name)),
);

export type StoredDtype = keyof typeof DTYPE_BYTES;

export type TensorData =
  | Float64Array
  | Float32Array
  | BigInt64Array
  | BigUint64Array
  | Int32Array
  | Uint32Array
  | Int16Array
  | Uint16Array
  | Int8Array
  | Uint8Array;

const ARRAYS = {
  F64: Float64Array,
  I64: BigInt64Array,
  U64: BigUint64Array,
  F32: Float32Array,
  I32: Int32Array,
  U32: Uint32Array,
  F16: Uint16Array,
  BF16: Uint16Array,
  I16: Int16Array,
  U16: Uint16Array,
  I8: Int8Array,
  U8: Uint8Array,
  BOOL: Uint8Array,
  F8_E4M3: Uint8Array,
  F8_E5M2: Uint8Array,
  F8_E8M0: Uint8Array,
  F8_E4M3FNUZ: Uint8Array,
  F8_E5M2FNUZ: Uint8Array,
  F6_E2M3: Uint8Array,
  F6_E3M2: Uint8Array,
  F4: Uint8Array,
  C64: Uint8Array,
} as const;

export function isStoredDtype(name: unknown): name is StoredDtype {
  return typeof name === "string" && Object.hasOwn(DTYPE_BYTES, name);
}

/**
 * Little-endian bytes -> numbers: F16 and BF16 as Float32Array, BOOL as Uint8Array, the others as their own array.
 * @throws CheckpointError for the dtypes of `OPAQUE`
 */
export function decodeTensor(bytes: Uint8Array, dtype: StoredDtype, where: string): TensorData {
  if (OPAQUE.has(dtype)) {
    throw new CheckpointError(
      `${where}: expected a dtype that can be converted, got ${dtype}. Store it as F16 or F32.`,
    );
  }
  const raw = elements(bytes, dtype);
  if (dtype === "F16") return float16ArrayToFloat32(raw as Uint16Array);
  if (dtype === "BF16") return bfloat16ArrayToFloat32(raw as Uint16Array);
  return raw;
}

/** The numbers as Float32Array, whatever they were; integers beyond 2^24 and F64 are rounded. */
export function toFloat32(data: TensorData): Float32Array {
  if (data instanceof Float32Array) return data;
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) return Float32Array.from(data, Number);
  return Float32Array.from(data);
}

/**
 * Numbers -> little-endian bytes. `data` is the array of the dtype, or a Float32Array for F16 and BF16 (rounded to nearest).
 * @throws CheckpointError if the array does not fit the dtype, or a finite value is beyond the range of F16.
 */
export function encodeTensor(data: TensorData, dtype: StoredDtype, where: string): Uint8Array {
  let stored: TensorData = data;
  if (data instanceof Float32Array && dtype === "BF16") stored = float32ArrayToBfloat16(data);
  if (data instanceof Float32Array && dtype === "F16") {
    const halves = float32ArrayToFloat16(data);
    const lost = halves.findIndex((h, i) => (h & 0x7fff) === 0x7c00 && Number.isFinite(data[i]!));
    if (lost >= 0) {
      throw new CheckpointError(`${where}: expected values within 65504 for F16, got ${data[lost]}. Store it as F32.`);
    }
    stored = halves;
  }
  if (!(stored instanceof ARRAYS[dtype])) {
    throw new CheckpointError(
      `${where}: expected a ${ARRAYS[dtype].name} for ${dtype}, got a ${data.constructor.name}.`,
    );
  }
  return new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength);
}

/** The bytes seen as the dtype's array; copied first if they do not start at a multiple of its element size. */
export function elements(bytes: Uint8Array, dtype: StoredDtype): TensorData {
  const size = ARRAYS[dtype].BYTES_PER_ELEMENT;
  const aligned = bytes.byteOffset % size === 0 ? bytes : new Uint8Array(bytes);
  return new ARRAYS[dtype](aligned.buffer as ArrayBuffer, aligned.byteOffset, aligned.byteLength / size);
}
