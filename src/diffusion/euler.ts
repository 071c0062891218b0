/** Euler's method in sigma = noise / signal. Karras et al. 2022, algorithm 2 without churn; numbers as diffusers' `EulerDiscreteScheduler`. */
import { item } from "../base/item.ts";
import { mix } from "./mix.ts";
import { cleanAndNoise, NoiseSchedule } from "./noise-schedule.ts";
import type { Scheduler, SchedulerConfig } from "./scheduler.ts";
import { sigmaAt } from "./sigmas.ts";
import { visitedSteps } from "./timesteps.ts";

/** Samples are kept as clean + sigma noise; the model receives them divided by sqrt(sigma² + 1). */
export function euler(config: SchedulerConfig = {}): Scheduler {
  const { timestepSpacing: spacing = "linspace", stepsOffset: offset = 0 } = config;
  const schedule = new NoiseSchedule(config);
  return (steps) => {
    const timesteps = visitedSteps(steps, { spacing, offset, trainSteps: schedule.steps });
    const sigmas = [...timesteps.map((t) => sigmaAt(schedule, t)), 0];
    const shown = (sample: Float32Array, i: number): Float32Array => mix([1 / Math.hypot(item(sigmas, i), 1), sample]);
    return {
      timesteps,
      initSigma: spacing === "leading" ? Math.hypot(item(sigmas, 0), 1) : item(sigmas, 0),
      scaleInput: shown,
      step(answer, i, sample) {
        const [sigma, next] = [item(sigmas, i), item(sigmas, i + 1)];
        const signal = 1 / Math.hypot(sigma, 1);
        const { clean } = cleanAndNoise(schedule.predictionType, answer, shown(sample, i), signal, sigma * signal);
        return mix([next / sigma, sample], [1 - next / sigma, clean]);
      },
    };
  };
}
