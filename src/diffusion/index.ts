/** Diffusion sampling: noise schedules, samplers, guidance and unCLIP's image noise; it knows no model. */
export { ddim } from "./ddim.ts";
export { dpmSolver } from "./dpm-solver.ts";
export { euler } from "./euler.ts";
export {
  type BetaSchedule,
  cleanAndNoise,
  NoiseSchedule,
  type NoiseScheduleConfig,
  type PredictionType,
} from "./noise-schedule.ts";
export { pndm } from "./pndm.ts";
export { type Denoiser, guide, noiseLatents, type SampleOptions, type SampleProgress, sample } from "./sample.ts";
export type { SamplingRun, Scheduler, SchedulerConfig } from "./scheduler.ts";
export { readNoiseSchedule, readScheduler, type SamplerName } from "./scheduler-config.ts";
export type { TimestepSpacing } from "./timesteps.ts";
export {
  emptyClassVectors,
  IMAGE_NOISE,
  type ImageNormalizer,
  type NoiseOptions,
  unclipClassVectors,
} from "./unclip.ts";
