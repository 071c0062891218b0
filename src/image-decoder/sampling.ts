/** scheduler.json of a Seedling folder: how its diffusion model was trained and is best asked. */
import { z } from "zod";
import { parseWith } from "../base/parse-with.ts";
import { ddim, dpmSolver, euler, pndm, type Scheduler } from "../diffusion/index.ts";

const SCHEDULERS = { ddim, pndm, euler, "dpm-solver": dpmSolver } as const;

const schema = z.strictObject({
  noise: z.strictObject({
    trainSteps: z.int().min(1).max(100_000).optional(),
    betaSchedule: z.enum(["linear", "scaled_linear", "squaredcos_cap_v2"]).optional(),
    betaStart: z.number().positive().optional(),
    betaEnd: z.number().positive().optional(),
    predictionType: z.enum(["epsilon", "v_prediction", "sample"]),
  }),
  steps: z.int().min(1),
  guidanceScale: z.number(),
  scheduler: z.enum(["ddim", "pndm", "euler", "dpm-solver"]),
  timestepSpacing: z.enum(["leading", "linspace", "trailing"]).optional(),
  /** DDIM: the clean latents are kept within -clip..clip. */
  clip: z.number().positive().optional(),
});

export interface Sampling {
  readonly scheduler: Scheduler;
  /** Defaults of a painting. */
  readonly steps: number;
  readonly guidanceScale: number;
}

const parse = parseWith(schema);

/** @throws InputError naming every wrong or unknown key. */
export function parseSampling(json: unknown, where: string): Sampling {
  const { scheduler, noise, timestepSpacing, clip, steps, guidanceScale } = parse(json, where);
  const config = {
    ...(noise as { predictionType: typeof noise.predictionType }),
    ...(timestepSpacing ? { timestepSpacing } : {}),
    ...(clip === undefined ? {} : { clip }),
  };
  return { scheduler: SCHEDULERS[scheduler](config), steps, guidanceScale };
}
