/** Rows of values that come in batches. */
import type { Value } from "../../runtime/index.ts";

/** The f32 data of several values, one after the other. */
export function joinRows(values: readonly Value[]): Float32Array {
  const out = new Float32Array(values.reduce((sum, { data }) => sum + data.length, 0));
  let at = 0;
  for (const { data } of values) {
    out.set(data, at);
    at += data.length;
  }
  return out;
}

/** Start and length of each batch of at most `size` out of `count`. */
export function batches(count: number, size: number): { readonly start: number; readonly size: number }[] {
  return Array.from({ length: Math.ceil(count / size) }, (_, i) => ({
    start: i * size,
    size: Math.min(size, count - i * size),
  }));
}
