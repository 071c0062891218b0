/** How certain a mean is: bootstrap intervals over the examples, paired for two arms on the same examples. Efron 1979. */
import { UsageError } from "../../base/errors.ts";
import { Rng } from "../../base/rng.ts";

export interface Interval {
  readonly mean: number;
  /** The 2.5 and 97.5 percentiles of the means of resampled examples. */
  readonly low: number;
  readonly high: number;
}

export interface BootstrapOptions {
  /** Default 2,000. */
  readonly resamples?: number;
  readonly seed?: number;
}

/** @throws UsageError for no values */
export function bootstrap(values: readonly number[], options: BootstrapOptions = {}): Interval {
  return bootstrapSums(
    values.map((value) => [value, 1]),
    ([sum = 0, count = 1]) => sum / count,
    options,
  );
}

/** Difference a - b of two arms on the same examples. @throws UsageError for lists of different lengths */
export function pairedBootstrap(a: readonly number[], b: readonly number[], options: BootstrapOptions = {}): Interval {
  expectPaired(a, b);
  return bootstrap(
    a.map((value, i) => value - (b[i] ?? 0)),
    options,
  );
}

/** A score that is computed from sums over examples, such as BLEU of a corpus, METEOR or an F1. */
export type Statistic = (sums: readonly number[]) => number;

/**
 * The interval of a score that is not a mean: examples are resampled, their rows of numbers are added, and the score is
 * computed from the sums. `mean` is the score of all examples.
 * @throws UsageError for no rows
 */
export function bootstrapSums(
  rows: readonly (readonly number[])[],
  statistic: Statistic,
  { resamples = 2000, seed = 1 }: BootstrapOptions = {},
): Interval {
  const [first] = rows;
  if (!first) throw new UsageError("bootstrap: expected at least one value, got none.");
  const width = first.length;
  const flat = Float64Array.from(
    { length: rows.length * width },
    (_, i) => rows[Math.floor(i / width)]?.[i % width] ?? 0,
  );
  const rng = new Rng(seed);
  const sums = new Float64Array(width);
  const add = (row: number): void => {
    for (let i = 0; i < width; i++) sums[i] = (sums[i] ?? 0) + (flat[row * width + i] ?? 0);
  };
  const all = Array.from({ length: resamples }, () => {
    sums.fill(0);
    for (let n = 0; n < rows.length; n++) add(rng.int(rows.length));
    return statistic([...sums]);
  });
  // A resample in which nothing counts has no score.
  const scores = all.filter((score) => !Number.isNaN(score)).sort((a, b) => a - b);
  sums.fill(0);
  for (let row = 0; row < rows.length; row++) add(row);
  const at = (share: number): number =>
    scores[Math.min(Math.floor(share * scores.length), scores.length - 1)] ?? Number.NaN;
  return { mean: statistic([...sums]), low: at(0.025), high: at(0.975) };
}

/**
 * How two arms compare on the same examples: the interval of `compare` of their scores, which are computed from the sums of
 * the same resampled examples. Default of `compare`: the ratio a / b.
 * @throws UsageError for lists of different lengths
 */
export function pairedBootstrapSums(
  a: readonly (readonly number[])[],
  b: readonly (readonly number[])[],
  statistic: Statistic,
  options: BootstrapOptions & { readonly compare?: (a: number, b: number) => number } = {},
): Interval {
  expectPaired(a, b);
  const { compare = (own, other) => own / other, ...rest } = options;
  const width = a[0]?.length ?? 0;
  const both = a.map((row, i) => [...row, ...(b[i] ?? [])]);
  return bootstrapSums(both, (sums) => compare(statistic(sums.slice(0, width)), statistic(sums.slice(width))), rest);
}

/** How much of an example was right, out of how much: objects of a picture, for instance. */
export interface Part {
  readonly right: number;
  readonly of: number;
}

const rowsOf = (parts: readonly Part[]): number[][] => parts.map(({ right, of }) => [right, of]);
const share: Statistic = ([right = 0, of = 0]) => right / of;

/** Sum of `right` over sum of `of`; whole examples are resampled. NaN where nothing counts. @throws UsageError for no examples */
export function bootstrapShare(parts: readonly Part[], options: BootstrapOptions = {}): Interval {
  return bootstrapSums(rowsOf(parts), share, options);
}

/** The share of `a` over that of `b`, on the same examples. @throws UsageError for lists of different lengths */
export function bootstrapRatio(a: readonly Part[], b: readonly Part[], options: BootstrapOptions = {}): Interval {
  return pairedBootstrapSums(rowsOf(a), rowsOf(b), share, options);
}

/** Ratio of the means of two arms on the same examples. @throws UsageError for lists of different lengths */
export function pairedRatio(a: readonly number[], b: readonly number[], options: BootstrapOptions = {}): Interval {
  expectPaired(a, b);
  const rows = a.map((value, i) => [value, b[i] ?? 0]);
  return bootstrapSums(rows, ([own = 0, other = 0]) => own / other, options);
}

function expectPaired(a: readonly unknown[], b: readonly unknown[]): void {
  if (a.length !== b.length)
    throw new UsageError(`bootstrap: expected the same examples in both arms, got ${a.length} and ${b.length}.`);
}
