/**
 * Reads diffusers' scheduler_config.json. What a setting says is honored or refused: a sampler honors its own settings,
 * refuses values of them that are not built here, and, as diffusers does, passes over settings of other samplers. A
 * setting that diffusers does not know is refused.
 */
import { z } from "zod";
import { InputError } from "../base/errors.ts";
import { quote } from "../base/one-line.ts";
import { parseWith } from "../base/parse-with.ts";
import { ddim } from "./ddim.ts";
import { dpmSolver } from "./dpm-solver.ts";
import { euler } from "./euler.ts";
import { NoiseSchedule } from "./noise-schedule.ts";
import { pndm } from "./pndm.ts";
import type { Scheduler, SchedulerConfig } from "./scheduler.ts";

const any = z.unknown().optional();
const no = z.literal(false).nullish();
const only = <T extends string | number>(value: T) => z.literal(value).nullish();

/** Absent settings have diffusers' defaults. */
const noise = {
  num_train_timesteps: z.int().positive().max(100_000).default(1000),
  beta_schedule: z.enum(["linear", "scaled_linear", "squaredcos_cap_v2"]).default("linear"),
  beta_start: z.number().default(0.0001),
  beta_end: z.number().default(0.02),
  trained_betas: z.null().optional(),
  rescale_betas_zero_snr: no,
  prediction_type: z.enum(["epsilon", "v_prediction", "sample"]).default("epsilon"),
};
const spacing = {
  timestep_spacing: z.enum(["leading", "linspace", "trailing"]).optional(),
  steps_offset: z.int().default(0),
};
/** The ratio and the largest value matter with thresholding only. */
const thresholding = { thresholding: no, dynamic_thresholding_ratio: any, sample_max_value: any };
/** The smallest and largest sigma matter with one of the spacings of sigmas only. */
const sigmas = {
  use_karras_sigmas: no,
  use_exponential_sigmas: no,
  use_beta_sigmas: no,
  sigma_min: any,
  sigma_max: any,
  final_sigmas_type: only("zero"),
};

const SCHEMAS = {
  noise: z.object(noise),
  ddim: z.object({
    ...{ ...noise, ...spacing, ...thresholding },
    set_alpha_to_one: z.boolean().optional(),
    clip_sample: z.boolean().default(true),
    clip_sample_range: z.number().default(1),
  }),
  pndm: z.object({
    ...{ ...noise, ...spacing },
    set_alpha_to_one: z.boolean().optional(),
    skip_prk_steps: z
      .boolean()
      .default(false)
      .refine((skipped) => skipped, "expected true, got false. Use another scheduler"),
  }),
  euler: z.object({
    ...{ ...noise, ...spacing, ...sigmas },
    interpolation_type: only("linear"),
    timestep_type: only("discrete"),
  }),
  "dpm-solver": z.object({
    ...{ ...noise, ...spacing, ...thresholding, ...sigmas },
    solver_order: only(2),
    solver_type: only("midpoint"),
    algorithm_type: only("dpmsolver++"),
    lambda_min_clipped: z.custom<number>((x) => typeof x === "number" && x < Infinity, "expected a number").optional(),
    variance_type: z.enum(["fixed_small", "fixed_large"]).nullish(),
    use_lu_lambdas: no,
    use_flow_sigmas: no,
    use_dynamic_shifting: no,
    flow_shift: any, // of flow sigmas
    time_shift_type: any,
    lower_order_final: any, // the last step is of first order anyway, as the last sigma is zero
    euler_at_final: any,
  }),
};

/** Settings of diffusers' other samplers. */
const ELSEWHERE = [
  ...["base_image_seq_len", "base_shift", "corrector_order", "disable_corrector", "invert_sigmas", "max_image_seq_len"],
  ...["max_shift", "noise_sampler_seed", "original_inference_steps", "predict_x0", "predictor_order", "rho"],
  ...["s_churn", "s_noise", "s_tmax", "s_tmin", "sampling_eps", "shift", "shift_terminal", "sigma_data"],
  ...["sigma_schedule", "snr", "solver_p", "stochastic_sampling", "tau_func", "timestep_scaling", "use_noise_sampler"],
];
const KNOWN = new Set([...Object.values(SCHEMAS).flatMap(({ shape }) => Object.keys(shape)), ...ELSEWHERE]);

const SAMPLERS = { ddim, pndm, euler, "dpm-solver": dpmSolver } as const;

export type SamplerName = keyof typeof SAMPLERS;

/** What diffusers calls them. */
const CLASSES: Readonly<Record<string, SamplerName>> = {
  DDIMScheduler: "ddim",
  PNDMScheduler: "pndm",
  EulerDiscreteScheduler: "euler",
  DPMSolverMultistepScheduler: "dpm-solver",
};

const parseClass = parseWith(z.looseObject({ _class_name: z.string() }));

/**
 * The sampler that a parsed scheduler_config.json describes, or, given its name, another one with the same noise: then
 * latents are not clipped, and PNDM skips its Runge-Kutta steps. `where` names the file in messages.
 * @throws InputError for another class of sampler, an unknown setting, or a value that is not supported.
 */
export function readScheduler(json: unknown, where: string, name?: SamplerName): Scheduler {
  const { _class_name: own, ...settings } = parseClass(json, where);
  expectKnown(settings, where);
  const sampler = name ?? (Object.hasOwn(CLASSES, own) ? CLASSES[own] : undefined);
  if (!sampler) throw new InputError(`${where}: expected ${Object.keys(CLASSES).join(", ")}, got ${quote(own)}.`);
  const other = name && CLASSES[own] !== name ? { clip_sample: false, skip_prk_steps: true } : {};
  return SAMPLERS[sampler](schedulerConfig({ ...settings, ...other }, where, SCHEMAS[sampler]));
}

/** The noise schedule alone, whatever the sampler: this is how unCLIP stores its image noise. */
export function readNoiseSchedule(json: unknown, where: string): NoiseSchedule {
  const { _class_name: _, ...settings } = parseClass(json, where);
  expectKnown(settings, where);
  return new NoiseSchedule(schedulerConfig(settings, where, SCHEMAS.noise));
}

function expectKnown(settings: Readonly<Record<string, unknown>>, where: string): void {
  const unknown = Object.keys(settings).filter((key) => !KNOWN.has(key) && !key.startsWith("_"));
  if (unknown.length > 0)
    throw new InputError(
      `${where}: expected settings of diffusers' schedulers, got ${unknown.slice(0, 3).map((key) => quote(key))}. Remove what does not change the numbers.`,
    );
}

/** In the names of `SchedulerConfig`. */
function schedulerConfig(json: unknown, where: string, schema: z.ZodType): SchedulerConfig {
  const config = parseWith(schema)(json, where) as z.infer<typeof SCHEMAS.noise> &
    Partial<z.infer<(typeof SCHEMAS)["ddim" | "pndm" | "euler" | "dpm-solver"]>> & {
      readonly set_alpha_to_one?: boolean;
      readonly clip_sample?: boolean;
      readonly clip_sample_range?: number;
      readonly lambda_min_clipped?: number;
    };
  return {
    trainSteps: config.num_train_timesteps,
    betaSchedule: config.beta_schedule,
    betaStart: config.beta_start,
    betaEnd: config.beta_end,
    predictionType: config.prediction_type,
    timestepSpacing: config.timestep_spacing,
    stepsOffset: config.steps_offset,
    setAlphaToOne: config.set_alpha_to_one,
    clip: config.clip_sample ? config.clip_sample_range : undefined,
    lambdaMin: config.lambda_min_clipped,
  };
}
