/** The lines of a parity report: how far apart two tensors are, how far they may be, and how that is printed. */
import type { Value } from "../../runtime/index.ts";

export interface ParityLine {
  readonly name: string;
  /** Largest |a - b|, or the number of entries that differ where they must be equal. NaN if a value is not a number. */
  readonly error: number;
  /** What `error` may be at most. */
  readonly bound: number;
  readonly holds: boolean;
  /** What was compared, or why nothing could be. */
  readonly note: string;
}

/** Bounds for float32, relative to max(1, largest magnitude); suggested by the fixtures' README. */
const BOUNDS: readonly (readonly [RegExp, number])[] = [
  [/(^|[._])loss($|_)/, 1e-5],
  [/^(vit|ln_vision|qformer|query|text|joint|encode_task|probe)\.|^vq\.distances$|_feat$|^sim_/, 1e-4],
];
/** Everything after equal codes. */
const DETOKENIZER = 2e-5;
/** Relative to the largest magnitude alone. */
const GRADIENT = 1e-3;

/** How far the tensor `name` may be from a reference whose largest magnitude is `largest`. */
export function boundOf(name: string, largest: number): number {
  if (/(^|\.)grad\./.test(name)) return GRADIENT * largest;
  const relative = BOUNDS.find(([pattern]) => pattern.test(name))?.[1] ?? DETOKENIZER;
  return relative * Math.max(1, largest);
}

/** Integers must be equal, floats within the bound of their name. */
export function compare(name: string, actual: Value, expected: Value): ParityLine {
  if (String(actual.shape) !== String(expected.shape))
    return failed(name, `expected shape [${expected.shape}], got [${actual.shape}]`);
  const [a, b] = [actual.data, expected.data];
  if (b instanceof Int32Array) return compareExactly(name, countDifferent(a, b), b.length, "codes");
  const error = largestOf(a, (x, i) => Math.abs(x - b[i]!));
  const largest = largestOf(b, Math.abs);
  const bound = boundOf(name, largest);
  return { name, error, bound, holds: error <= bound, note: `largest ${largest.toPrecision(3)}` };
}

export function compareExactly(name: string, different: number, count: number, what: string): ParityLine {
  return {
    name,
    error: different,
    bound: 0,
    holds: different === 0,
    note: `${count - different} of ${count} ${what} equal`,
  };
}

/** A tensor of the reference that has no counterpart. */
export function missing(name: string): ParityLine {
  return failed(name, "not computed here");
}

export function failed(name: string, note: string): ParityLine {
  return { name, error: Number.NaN, bound: 0, holds: false, note };
}

export function countDifferent(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let count = Math.abs(a.length - b.length);
  for (let i = 0; i < Math.min(a.length, b.length); i++) if (a[i] !== b[i]) count++;
  return count;
}

/** Largest value of f, NaN if one is NaN (Math.max keeps it). */
function largestOf(data: Float32Array | Int32Array, f: (x: number, i: number) => number): number {
  let largest = 0;
  for (let i = 0; i < data.length; i++) largest = Math.max(largest, f(data[i]!, i));
  return largest;
}

/** A line for each of `shown` and a summary of all: verdict, largest error, bound, name, note. */
export function formatParity({ lines }: { readonly lines: readonly ParityLine[] }, shown = lines): string[] {
  const width = Math.max(0, ...shown.map(({ name }) => name.length));
  const rows = shown.map(({ name, error, bound, holds, note }) =>
    [holds ? "ok  " : "FAIL", number(error), "<=", number(bound), name.padEnd(width), note].join("  "),
  );
  const bad = lines.filter(({ holds }) => !holds).length;
  return [...rows, bad === 0 ? `all ${lines.length} hold` : `${bad} of ${lines.length} FAIL`];
}

function number(x: number): string {
  return (x === 0 ? "0" : x.toExponential(1)).padStart(7);
}
