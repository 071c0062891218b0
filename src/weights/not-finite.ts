/** Which tensors of a file hold values that are NaN or infinite. */

import { openByteSource } from "../io/files.ts";
import { countNotFinite } from "./copy-tensor.ts";
import { OPAQUE } from "./dtypes.ts";
import type { TensorInfo } from "./tensor-file.ts";

/** A multiple of the size of every number. */
const PIECE_BYTES = 2 ** 20;

/** Tensors can share bytes, as tied weights do; once this many times the file's size has been read, the rest is skipped. */
const MAX_PASSES = 2;

/** The counts, zeros too, of the tensors that are contiguous in `path` and whose number format is known; others are left out. */
export async function notFiniteValues(
  path: string,
  tensors: ReadonlyMap<string, TensorInfo>,
): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  const source = await openByteSource(path);
  try {
    let left = MAX_PASSES * source.size;
    for (const [name, { file, offset, byteLength, dtype }] of tensors) {
      if (file !== path || offset === undefined || byteLength > left || OPAQUE.has(dtype)) continue;
      left -= byteLength;
      let count = 0;
      for (let at = 0; at < byteLength; at += PIECE_BYTES) {
        count += countNotFinite(await source.read(offset + at, Math.min(PIECE_BYTES, byteLength - at)), dtype);
      }
      counts.set(name, count);
    }
  } finally {
    await source.close();
  }
  return counts;
}
