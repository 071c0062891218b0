/** A decoder that was trained here -> its part of a model folder, in diffusers' layout. The inverse of opening it. */
import { SetupError } from "../base/errors.ts";
import { Params, paramAttrs } from "../graph/index.ts";
import { makeFolder, writeFileAtomic } from "../io/files.ts";
import { join } from "../io/paths.ts";
import { readUnetConfig, readVaeConfig } from "../models/diffusers-config.ts";
import type { UnetConfig } from "../models/unet.ts";
import { type VaeConfig, vaeFactor } from "../models/vae.ts";
import type { StoredDtype } from "../weights/dtypes.ts";
import { writeSafetensors } from "../weights/index.ts";
import { denoiserGraph, vaeDecoderGraph } from "./training-graphs.ts";

/** The config.json files of the parts, in diffusers' names, and how the model samples by default. */
export interface DecoderFiles {
  readonly unet: Readonly<Record<string, unknown>>;
  readonly vae: Readonly<Record<string, unknown>>;
  readonly scheduler: Readonly<Record<string, unknown>>;
  readonly pipeline: {
    readonly num_inference_steps: number;
    readonly guidance_scale: number;
    readonly noise_scale?: number;
  };
}

/** The sizes that the files state. `where` names them in messages. @throws InputError for wrong or unsupported ones. */
export function decoderSizes(files: DecoderFiles, where: string): { unet: UnetConfig; vae: VaeConfig } {
  return { unet: readUnetConfig(files.unet, where), vae: readVaeConfig(files.vae, where) };
}

/** Name and initial values of every weight that decoding needs, by the names of training: `unet.*`, `conditioner.*`, `vae.*`. */
export function decoderParams(files: DecoderFiles, contextLength: number, where: string): Params {
  const { unet, vae } = decoderSizes(files, where);
  const p = new Params();
  denoiserGraph(unet, contextLength, p);
  vaeDecoderGraph(vae, unet.sampleSize * vaeFactor(vae), p);
  return p;
}

const WEIGHTS = "diffusion_pytorch_model.safetensors";
/** What a finished decoder states in vae/config.json and training measures: mean and deviation of the latents. */
const STATS = ["latents_mean", "latents_std"] as const;

/**
 * Writes model_index.json and a sub-folder for each part into `folder`.
 * @param weight the numbers of a weight by its name in training @throws SetupError naming a weight that is missing
 */
export async function writeDecoder(
  folder: string,
  files: DecoderFiles,
  {
    contextLength,
    dtype,
    weight,
  }: { contextLength: number; dtype: StoredDtype; weight: (name: string) => Float32Array | undefined },
): Promise<void> {
  const all = [...decoderParams(files, contextLength, folder).declared().values()].map(paramAttrs);
  const numbers = (name: string): Float32Array => {
    const data = weight(name);
    if (data) return data;
    throw new SetupError(`${folder}: expected trained weights of ${name}, found none. Run all stages.`);
  };
  const parts = ["unet", "vae", "conditioner"].filter((part) => all.some(({ path }) => path.startsWith(`${part}.`)));
  const json = (name: string, value: unknown): Promise<void> =>
    writeFileAtomic(join(folder, name), `${JSON.stringify(value, null, 2)}\n`);
  for (const part of [...parts, "scheduler"]) await makeFolder(join(folder, part));
  for (const part of parts) {
    const tensors = all
      .filter(({ path }) => path.startsWith(`${part}.`) && !STATS.some((name) => path === `vae.${name}`))
      .map(({ path, shape }) => ({ name: path.slice(part.length + 1), dtype, shape, data: numbers(path) }));
    await writeSafetensors(join(folder, part, WEIGHTS), tensors, { format: "pt" });
  }
  await json("unet/config.json", files.unet);
  const stats = Object.fromEntries(STATS.map((name) => [name, [...numbers(`vae.${name}`)]]));
  await json("vae/config.json", { ...files.vae, scaling_factor: 1, ...stats });
  await json("scheduler/scheduler_config.json", files.scheduler);
  await json("model_index.json", {
    _class_name: "SeedlingPipeline",
    ...files.pipeline,
    context_length: contextLength,
    unet: ["diffusers", "UNet2DConditionModel"],
    vae: ["diffusers", "AutoencoderKL"],
    scheduler: ["diffusers", files.scheduler["_class_name"]],
    ...(parts.includes("conditioner") ? { conditioner: ["seedling", "SpatialConditioning"] } : {}),
  });
}
