/** What samplers have in common: from noise to a clean sample in a few evaluations of the model. */
import type { NoiseSchedule, NoiseScheduleConfig } from "./noise-schedule.ts";
import type { TimestepSpacing } from "./timesteps.ts";

/** diffusers' scheduler_config.json in camel case, as far as it is built. */
export interface SchedulerConfig extends NoiseScheduleConfig {
  /** Default "leading" for DDIM and PNDM, "linspace" for Euler and DPM-Solver++. */
  readonly timestepSpacing?: TimestepSpacing;
  /** Added to the steps with spacing "leading". Default 0; Stable Diffusion has 1. */
  readonly stepsOffset?: number;
  /** Whether the step after the last is free of noise. Default true for DDIM, false for PNDM; others ignore it. */
  readonly setAlphaToOne?: boolean;
  /** DDIM: the clean sample is kept within -clip..clip. Default: it is not. */
  readonly clip?: number;
  /** DPM-Solver++: steps whose log(signal / noise) is below this are left out. Default: none are. */
  readonly lambdaMin?: number;
}

/** One way from noise to a sample. It remembers earlier answers: one run for one batch, steps in order. */
export interface SamplingRun {
  /** The training step of each evaluation. */
  readonly timesteps: readonly number[];
  /** Standard normal latents are multiplied with this to start. */
  readonly initSigma: number;
  /** The input of the model at evaluation i. */
  scaleInput(sample: Float32Array, i: number): Float32Array;
  /** The sample after evaluation i, from the model's answer. Both arguments are left as they are. */
  step(answer: Float32Array, i: number, sample: Float32Array): Float32Array;
}

/** Starts a run of this many steps. @throws UsageError if there are more than training steps, or fewer than one. */
export type Scheduler = (steps: number) => SamplingRun;

/** signal² at step t, and after the last step 1, or that of step 0, as `setAlphaToOne` asks. */
export function alphaOrFinal(schedule: NoiseSchedule, t: number, setAlphaToOne: boolean): number {
  if (t >= 0) return schedule.at(t);
  return setAlphaToOne ? 1 : schedule.at(0);
}
