/**
 * Euler's method along straight lines from noise to data: the sample at sigma is (1 - sigma) clean + sigma noise, and the
 * model answers with noise - clean. Lipman et al. 2023; numbers as diffusers' `FlowMatchEulerDiscreteScheduler`.
 */
import { UsageError } from "../base/errors.ts";
import { item } from "../base/item.ts";
import { mix } from "./mix.ts";
import type { Scheduler } from "./scheduler.ts";

export interface FlowMatchConfig {
  /** The model sees sigma times this. Default 1000. */
  readonly trainSteps?: number;
  /** Above 1, more of the steps are spent where there is much noise. Default 1. Esser et al. 2024, eq. 23. */
  readonly shift?: number;
}

/** @throws UsageError for fewer steps than one, or more than training steps. */
export function flowMatchEuler({ trainSteps = 1000, shift = 1 }: FlowMatchConfig = {}): Scheduler {
  return (steps) => {
    if (!Number.isInteger(steps) || steps < 1 || steps > trainSteps)
      throw new UsageError(`sampling: expected 1 to ${trainSteps} steps, got ${steps}.`);
    // The least sigma of training is shifted, and the line to it once more: a quirk of diffusers that is kept.
    const least = shiftSigma(1 / trainSteps, shift);
    const line = Array.from({ length: steps }, (_, i) => 1 + ((least - 1) * i) / Math.max(steps - 1, 1));
    const sigmas = [...line.map((sigma) => shiftSigma(sigma, shift)), 0];
    return {
      timesteps: sigmas.slice(0, -1).map((sigma) => sigma * trainSteps),
      initSigma: 1,
      scaleInput: (sample) => sample,
      step: (answer, i, sample) => mix([1, sample], [item(sigmas, i + 1) - item(sigmas, i), answer]),
    };
  };
}

/** shift sigma / (1 + (shift - 1) sigma). */
export function shiftSigma(sigma: number, shift: number): number {
  return (shift * sigma) / (1 + (shift - 1) * sigma);
}
