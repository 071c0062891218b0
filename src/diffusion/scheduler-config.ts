/** Reads diffusers' scheduler_config.json. */
import { z } from "zod";
import { InputError } from "../base/errors.ts";
import { parseWith } from "../base/parse-with.ts";
import { ddim } from "./ddim.ts";
import { dpmSolver } from "./dpm-solver.ts";
import { euler } from "./euler.ts";
import { NoiseSchedule } from "./noise-schedule.ts";
import { pndm } from "./pndm.ts";
import type { Scheduler, SchedulerConfig } from "./scheduler.ts";

const no = z.literal(false).nullish();
const only = <T extends string | number>(value: T) => z.literal(value).nullish();

/** Absent fields have diffusers' defaults; options that would change the numbers and are not built are refused. */
const schedulerJson = z.object({
  _class_name: z.string(),
  num_train_timesteps: z.int().positive().max(100_000).default(1000),
  beta_schedule: z.enum(["linear", "scaled_linear", "squaredcos_cap_v2"]).default("linear"),
  beta_start: z.number().default(0.0001),
  beta_end: z.number().default(0.02),
  prediction_type: z.enum(["epsilon", "v_prediction", "sample"]).default("epsilon"),
  timestep_spacing: z.enum(["leading", "linspace", "trailing"]).optional(),
  steps_offset: z.int().default(0),
  set_alpha_to_one: z.boolean().optional(),
  clip_sample: z.boolean().default(true),
  clip_sample_range: z.number().default(1),
  skip_prk_steps: z.boolean().default(false),
  trained_betas: z.null().optional(),
  thresholding: no,
  rescale_betas_zero_snr: no,
  use_karras_sigmas: no,
  use_exponential_sigmas: no,
  use_beta_sigmas: no,
  use_lu_lambdas: no,
  use_flow_sigmas: no,
  interpolation_type: only("linear"),
  final_sigmas_type: only("zero"),
  timestep_type: only("discrete"),
  solver_order: only(2),
  solver_type: only("midpoint"),
  algorithm_type: only("dpmsolver++"),
});

type SchedulerJson = z.infer<typeof schedulerJson>;
const parse = parseWith(schedulerJson);

const samplers: Readonly<Record<string, (config: SchedulerConfig) => Scheduler>> = {
  DDIMScheduler: ddim,
  PNDMScheduler: pndm,
  EulerDiscreteScheduler: euler,
  DPMSolverMultistepScheduler: dpmSolver,
};

/**
 * The sampler that a parsed scheduler_config.json describes; `where` names the file in messages.
 * @throws InputError for another class of sampler, an unknown or unsupported value.
 */
export function readScheduler(json: unknown, where: string): Scheduler {
  const config = parse(json, where);
  const name = config._class_name;
  const sampler = samplers[name];
  if (!sampler)
    throw new InputError(`${where}: expected ${Object.keys(samplers).join(", ")}, got ${JSON.stringify(name)}.`);
  if (name === "PNDMScheduler" && !config.skip_prk_steps)
    throw new InputError(`${where}: expected skip_prk_steps true, got false. Use another scheduler.`);
  return sampler(camelCase(config));
}

/** The noise schedule alone, whatever the sampler: unCLIP's image noise is stored so. */
export function readNoiseSchedule(json: unknown, where: string): NoiseSchedule {
  return new NoiseSchedule(camelCase(parse(json, where)));
}

function camelCase(config: SchedulerJson): SchedulerConfig {
  return {
    trainSteps: config.num_train_timesteps,
    betaSchedule: config.beta_schedule,
    betaStart: config.beta_start,
    betaEnd: config.beta_end,
    predictionType: config.prediction_type,
    stepsOffset: config.steps_offset,
    ...(config.timestep_spacing ? { timestepSpacing: config.timestep_spacing } : {}),
    ...(config.set_alpha_to_one === undefined ? {} : { setAlphaToOne: config.set_alpha_to_one }),
    ...(config._class_name === "DDIMScheduler" && config.clip_sample ? { clip: config.clip_sample_range } : {}),
  };
}
