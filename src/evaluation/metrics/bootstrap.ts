/** How sure a mean is: bootstrap intervals over the examples, paired for two arms on the same examples. Efron 1979. */
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
export function bootstrap(values: readonly number[], { resamples = 2000, seed = 1 }: BootstrapOptions = {}): Interval {
  if (values.length === 0) throw new UsageError("bootstrap: expected at least one value, got none.");
  const rng = new Rng(seed);
  const means = Array.from({ length: resamples }, () => {
    let sum = 0;
    for (let i = 0; i < values.length; i++) sum += values[rng.int(values.length)] ?? 0;
    return sum / values.length;
  }).sort((a, b) => a - b);
  const at = (share: number): number => means[Math.min(Math.floor(share * resamples), resamples - 1)] ?? Number.NaN;
  return { mean: values.reduce((a, b) => a + b, 0) / values.length, low: at(0.025), high: at(0.975) };
}

/** Difference a - b of two arms on the same examples. @throws UsageError for lists of different lengths */
export function pairedBootstrap(a: readonly number[], b: readonly number[], options: BootstrapOptions = {}): Interval {
  if (a.length !== b.length)
    throw new UsageError(`bootstrap: expected the same examples in both arms, got ${a.length} and ${b.length}.`);
  return bootstrap(
    a.map((value, i) => value - (b[i] ?? 0)),
    options,
  );
}
