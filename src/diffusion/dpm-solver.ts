/** DPM-Solver++(2M), midpoint. Lu et al. 2022, algorithm 2; numbers as diffusers' `DPMSolverMultistepScheduler`. */
import { item } from "../base/item.ts";
import { mix } from "./mix.ts";
import { cleanAndNoise, NoiseSchedule } from "./noise-schedule.ts";
import type { Scheduler, SchedulerConfig } from "./scheduler.ts";
import { sigmaAt } from "./sigmas.ts";
import { roundEven, trailing, visitedSteps } from "./timesteps.ts";

/** The first and the last step are of first order: there is no earlier answer, and the last sigma is zero. */
export function dpmSolver(config: SchedulerConfig = {}): Scheduler {
  const { timestepSpacing: spacing = "linspace", stepsOffset: offset = 0, lambdaMin = -Infinity } = config;
  const schedule = new NoiseSchedule(config);
  const isVisible = (alpha: number): boolean => 0.5 * Math.log(alpha / (1 - alpha)) >= lambdaMin;
  const trainSteps = schedule.alphasCumprod.filter(isVisible).length;
  return (steps) => {
    // One step more is laid out and the last, at no noise, is left out.
    const timesteps = (
      spacing === "trailing"
        ? trailing(trainSteps, schedule.steps / steps)
        : visitedSteps(steps + 1, { spacing, offset, trainSteps }).slice(0, -1)
    ).map(roundEven);
    const sigmas = [...timesteps.map((t) => sigmaAt(schedule, t)), 0];
    let before: Float32Array | undefined; // clean sample of the evaluation before
    return {
      timesteps,
      initSigma: 1,
      scaleInput: (sample) => sample,
      step(answer, i, sample) {
        const [last, now, next] = [sigmas[i - 1], item(sigmas, i), item(sigmas, i + 1)];
        const signal = (sigma: number): number => 1 / Math.hypot(sigma, 1);
        const { clean } = cleanAndNoise(schedule.predictionType, answer, sample, signal(now), now * signal(now));
        const keep = (next * signal(next)) / (now * signal(now));
        const move = signal(next) * (1 - next / now);
        const older = before;
        before = clean;
        if (!older || last === undefined || next === 0) return mix([keep, sample], [move, clean]);
        // log(signal / noise) is -log(sigma); slope: half the step ahead over the step behind
        const slope = (0.5 * Math.log(now / next)) / Math.log(last / now);
        return mix([keep, sample], [move * (1 + slope), clean], [-move * slope, older]);
      },
    };
  };
}
