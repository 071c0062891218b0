/** Learning rates over a run. */

export interface Schedule {
  /** Steps of the whole run. */
  readonly steps: number;
  /** Steps of linear warm-up from 0. */
  readonly warmup: number;
  /** Largest rate. */
  readonly peak: number;
  /** Last rate. */
  readonly floor: number;
}

/** Rate at step `step` (from 1): linear warm-up, then half a cosine. Loshchilov & Hutter 2017. */
export function rateAt(step: number, { steps, warmup, peak, floor }: Schedule): number {
  if (step <= warmup) return (peak * step) / warmup;
  const progress = Math.min(1, (step - warmup) / Math.max(1, steps - warmup));
  return floor + 0.5 * (peak - floor) * (1 + Math.cos(Math.PI * progress));
}
