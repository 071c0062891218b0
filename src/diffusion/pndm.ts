/**
 * PNDM without its Runge-Kutta warm-up, also called PLMS: Stable Diffusion's own sampler. The second evaluation repeats
 * the first step, so n steps take n + 1 evaluations. Liu et al. 2022, eq. 9 and 12; numbers as diffusers'
 * `PNDMScheduler` with skip_prk_steps.
 */
import { UsageError } from "../base/errors.ts";
import { item } from "../base/item.ts";
import { mix } from "./mix.ts";
import { cleanAndNoise, NoiseSchedule } from "./noise-schedule.ts";
import { alphaOrFinal, type Scheduler, type SchedulerConfig } from "./scheduler.ts";
import { roundEven, visitedSteps } from "./timesteps.ts";

/** Adams & Bashforth: weights of the newest answer, the one before, ... */
const MULTISTEP = [[1], [3 / 2, -1 / 2], [23 / 12, -16 / 12, 5 / 12], [55 / 24, -59 / 24, 37 / 24, -9 / 24]] as const;

/** @throws UsageError for prediction type "sample", for which the method is not defined. */
export function pndm(config: SchedulerConfig = {}): Scheduler {
  const { timestepSpacing: spacing = "leading", stepsOffset: offset = 0, setAlphaToOne = false } = config;
  const schedule = new NoiseSchedule(config);
  if (schedule.predictionType === "sample")
    throw new UsageError('pndm: expected prediction type "epsilon" or "v_prediction", got "sample". Use ddim.');
  return (steps) => {
    const visited = visitedSteps(steps, { spacing, offset, trainSteps: schedule.steps }).map(roundEven);
    const timesteps = [...visited.slice(0, 1), ...visited.slice(1, 2), ...visited.slice(1)];
    const stride = Math.floor(schedule.steps / steps);
    let answers: Float32Array[] = []; // newest first
    let first: Float32Array; // the sample before the first step, which is taken twice

    /** From step t to step `to` along the noise that the answer stands for. Eq. 9. */
    const transfer = (sample: Float32Array, answer: Float32Array, t: number, to: number): Float32Array => {
      const [now, then] = [schedule.at(t), alphaOrFinal(schedule, to, setAlphaToOne)];
      const noise = cleanAndNoise(schedule.predictionType, answer, sample, Math.sqrt(now), Math.sqrt(1 - now)).noise;
      const scale = now * Math.sqrt(1 - then) + Math.sqrt(now * (1 - now) * then);
      return mix([Math.sqrt(then / now), sample], [(now - then) / scale, noise]);
    };
    return {
      timesteps,
      initSigma: 1,
      scaleInput: (sample) => sample,
      step(answer, i, sample) {
        const t = item(timesteps, i);
        if (i === 1) return transfer(first, mix([0.5, answer], [0.5, item(answers, 0)]), t + stride, t);
        if (i === 0) first = sample;
        answers = [answer, ...answers.slice(0, 3)];
        const weights = item(MULTISTEP, answers.length - 1);
        return transfer(sample, mix(...answers.map((a, j) => [item(weights, j), a] as const)), t, t - stride);
      },
    };
  };
}
