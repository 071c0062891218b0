/** DDIM without noise (eta 0). Song et al. 2021, eq. 12; numbers as diffusers' `DDIMScheduler`. */
import { item } from "../base/item.ts";
import { mix } from "./mix.ts";
import { cleanAndNoise, NoiseSchedule } from "./noise-schedule.ts";
import { alphaOrFinal, type Scheduler, type SchedulerConfig } from "./scheduler.ts";
import { roundEven, visitedSteps } from "./timesteps.ts";

export function ddim(config: SchedulerConfig = {}): Scheduler {
  const { timestepSpacing: spacing = "leading", stepsOffset: offset = 0, setAlphaToOne = true, clip } = config;
  const schedule = new NoiseSchedule(config);
  return (steps) => {
    const timesteps = visitedSteps(steps, { spacing, offset, trainSteps: schedule.steps }).map(roundEven);
    const stride = Math.floor(schedule.steps / steps);
    return {
      timesteps,
      initSigma: 1,
      scaleInput: (sample) => sample,
      step(answer, i, sample) {
        const t = item(timesteps, i);
        const alpha = alphaOrFinal(schedule, t - stride, setAlphaToOne);
        const type = schedule.predictionType;
        const { clean, noise } = cleanAndNoise(type, answer, sample, schedule.signal(t), schedule.noise(t));
        const kept = clip === undefined ? clean : clean.map((x) => Math.min(Math.max(x, -clip), clip));
        return mix([Math.sqrt(alpha), kept], [Math.sqrt(1 - alpha), noise]);
      },
    };
  };
}
