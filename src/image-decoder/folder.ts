/**
 * A folder in diffusers' layout (Stable Diffusion 1.x, Stable Diffusion 2.1 unCLIP, or the decoder of a model that was
 * trained here), opened and checked whole before anything runs: model_index.json and a sub-folder for each part. Nothing
 * here computes.
 */
import type { ImageNormalizer, NoiseSchedule, SamplerName } from "../diffusion/index.ts";
import type { Outputs } from "../graph/index.ts";
import { join } from "../io/paths.ts";
import { expectTensors } from "../weights/index.ts";
import type { CheckedWeights } from "../weights/mapped/weights.ts";
import { findWeights, openPart, partWeights } from "./part-weights.ts";
import { normalizerShapes, type PartName } from "./parts.ts";
import { type DiffusersSettings, readDiffusersSettings } from "./settings.ts";

export interface OpenedPart {
  readonly outputs: Outputs;
  readonly weights: CheckedWeights;
}

export interface DiffusersFolder extends Omit<DiffusersSettings, "pipeline" | "built" | "imageSchedule"> {
  /** How image embeddings are blurred; of unCLIP only. */
  readonly imageNoise?: { readonly normalizer: ImageNormalizer; readonly schedule: NoiseSchedule };
  readonly parts: Readonly<Partial<Record<PartName, OpenedPart>>>;
}

/**
 * @throws SetupError naming every part that is missing; InputError for another kind of pipeline, or parts that do not fit
 * each other, or a sampler that is not implemented unless `sampler` names another one; CheckpointError listing every
 * missing, extra and misshaped tensor of a part.
 */
export async function openDiffusersFolder(path: string, sampler?: SamplerName): Promise<DiffusersFolder> {
  const { built, imageSchedule: schedule, ...read } = await readDiffusersSettings(path);
  read.scheduler(sampler);
  const settings = { ...read, scheduler: (name = sampler) => read.scheduler(name) };
  const parts: Partial<Record<PartName, OpenedPart>> = {};
  for (const [name, { outputs, stored }] of built)
    parts[name] = { outputs, weights: await partWeights(join(path, name), stored) };
  if (!schedule) return { ...settings, parts };
  const normalizer = await readNormalizer(join(path, "image_normalizer"), settings.imageWidth);
  return { ...settings, imageNoise: { normalizer, schedule }, parts };
}

async function readNormalizer(folder: string, width: number): Promise<ImageNormalizer> {
  const file = await openPart(await findWeights(folder));
  try {
    expectTensors(file, normalizerShapes(width));
    return { mean: await file.readFloat32("mean"), std: await file.readFloat32("std") };
  } finally {
    await file.close();
  }
}
