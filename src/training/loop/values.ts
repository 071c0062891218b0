/** Values by name, and rows of values that come in batches. */
import { SeedlingError } from "../../base/errors.ts";
import type { Value, Values } from "../../runtime/index.ts";

/** A value by name. @throws SeedlingError if there is none of that name */
export function namedValue(values: Values | undefined, name: string): Value {
  const value = values?.[name];
  if (!value) throw new SeedlingError(`training: expected a value named ${name}, got ${Object.keys(values ?? {})}.`);
  return value;
}

/** Some of the values. @throws SeedlingError if one is missing */
export function pickValues(values: Values, names: readonly string[]): Values {
  return Object.fromEntries(names.map((name) => [name, namedValue(values, name)]));
}

/** The f32 data of a value by name. */
export function floatsOf(values: Values, name: string): Float32Array {
  return namedValue(values, name).data as Float32Array;
}

/** The number of a value of one number. */
export function numberOf(values: Values, name: string): number {
  return namedValue(values, name).data[0] ?? Number.NaN;
}

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

/** The f32 data of the value of one name in several batches, one after the other. */
export function joined(parts: readonly Values[], name: string): Float32Array {
  return joinRows(parts.map((values) => namedValue(values, name)));
}

/** Adds row `i` of `rows` to row `k` of `sums`, both f32 [*,width]. */
export function addRow(
  sums: Float32Array | Float64Array,
  k: number,
  rows: Float32Array,
  i: number,
  width: number,
): void {
  for (let d = 0; d < width; d++) sums[k * width + d]! += rows[i * width + d]!;
}

/** Start and length of each batch of at most `size` out of `count`. */
export function batches(count: number, size: number): { readonly start: number; readonly size: number }[] {
  return Array.from({ length: Math.ceil(count / size) }, (_, i) => ({
    start: i * size,
    size: Math.min(size, count - i * size),
  }));
}
