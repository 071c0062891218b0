/** Which training steps a sampler visits. Lin et al. 2023, table 2; numbers as in diffusers. */
import { UsageError } from "../base/errors.ts";

export type TimestepSpacing = "leading" | "linspace" | "trailing";

export interface SpacingOptions {
  readonly spacing: TimestepSpacing;
  /** Added to every step with "leading". */
  readonly offset: number;
  readonly trainSteps: number;
}

/**
 * `steps` training steps, noisiest first; "linspace" without rounding.
 * @throws UsageError if there are more steps than training steps, or fewer than one.
 */
export function visitedSteps(steps: number, { spacing, offset, trainSteps }: SpacingOptions): number[] {
  if (!Number.isInteger(steps) || steps < 1 || steps > trainSteps)
    throw new UsageError(`sampling: expected 1 to ${trainSteps} steps, got ${steps}.`);
  if (spacing === "trailing") return trailing(trainSteps, trainSteps / steps);
  const stride = spacing === "leading" ? Math.floor(trainSteps / steps) : (trainSteps - 1) / Math.max(steps - 1, 1);
  return Array.from({ length: steps }, (_, i) => (steps - 1 - i) * stride + (spacing === "leading" ? offset : 0));
}

/** From the last training step downwards in strides that need not be whole. */
export function trailing(trainSteps: number, stride: number): number[] {
  return Array.from({ length: Math.ceil(trainSteps / stride) }, (_, i) => roundEven(trainSteps - i * stride) - 1);
}

/** Halves go to the even neighbor, as NumPy rounds. */
export function roundEven(x: number): number {
  const rounded = Math.round(x);
  return Math.abs(x % 1) === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}
