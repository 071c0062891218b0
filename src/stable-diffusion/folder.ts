/**
 * A diffusers folder of Stable Diffusion 1.x or of Stable Diffusion 2.1 unCLIP, opened and checked whole before anything
 * runs: model_index.json and a sub-folder for each part. Nothing here computes.
 */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { expectTensors, parseWith, readJsonFile } from "../checkpoint/index.ts";
import {
  type ImageNormalizer,
  type NoiseSchedule,
  readNoiseSchedule,
  readScheduler,
  type Scheduler,
} from "../diffusion/index.ts";
import { InputError, SetupError } from "../errors.ts";
import type { TextEncoderConfig } from "../models/clip.ts";
import { readClipTextConfig, readClipVisionConfig } from "../models/clip-config.ts";
import type { ClipVisionConfig } from "../models/clip-vision.ts";
import { readUnetConfig, readVaeConfig } from "../models/diffusers-config.ts";
import type { UnetConfig } from "../models/unet.ts";
import { type VaeConfig, vaeFactor } from "../models/vae.ts";
import { quote } from "../one-line.ts";
import { ClipPrompts } from "../text/index.ts";
import { buildFrom } from "../tokenizer/graphs.ts";
import type { Part } from "../tokenizer/programs.ts";
import { findWeights, openPart, partWeights } from "./part-weights.ts";
import { type BuiltPart, imageEncoderPart, type PartName, textEncoderPart, unetPart, vaePart } from "./parts.ts";

/** What each kind of pipeline is told to paint. */
const PAINTS_FROM = { StableDiffusionPipeline: "text", StableUnCLIPImg2ImgPipeline: "image" } as const;

const SAMPLERS = {
  ddim: "DDIMScheduler",
  pndm: "PNDMScheduler",
  euler: "EulerDiscreteScheduler",
  "dpm-solver": "DPMSolverMultistepScheduler",
} as const;

export type SamplerName = keyof typeof SAMPLERS;

export interface DiffusersFolder {
  readonly path: string;
  readonly paintsFrom: "image" | "text";
  readonly textEncoder: TextEncoderConfig;
  readonly unet: UnetConfig;
  readonly vae: VaeConfig;
  readonly prompts: ClipPrompts;
  /** The folder's own sampler, or another one with the same noise. */
  readonly scheduler: (name?: SamplerName) => Scheduler;
  /** How image embeddings are blurred; of unCLIP only. */
  readonly imageNoise?: { readonly normalizer: ImageNormalizer; readonly schedule: NoiseSchedule };
  /** Of unCLIP, if it is there: painting from codes does not need it. */
  readonly imageEncoder?: ClipVisionConfig;
  readonly parts: Readonly<Partial<Record<PartName, Part>>>;
}

const parseIndex = parseWith(z.object({ _class_name: z.string() }));

/**
 * @throws SetupError naming every part that is missing; InputError for another kind of pipeline, or parts that do not fit
 * each other; CheckpointError listing every missing, extra and misshaped tensor of a part.
 */
export async function openDiffusersFolder(path: string): Promise<DiffusersFolder> {
  const at = (...names: string[]): string => join(path, ...names);
  const json = async <T>(name: string, parse: (json: unknown, where: string) => T): Promise<T> =>
    parse(await readJsonFile(at(name)), at(name));
  await expectFiles(path, ["model_index.json"]);
  const { _class_name: kind } = await json("model_index.json", parseIndex);
  if (!Object.hasOwn(PAINTS_FROM, kind))
    throw new InputError(
      `${at("model_index.json")}: expected ${Object.keys(PAINTS_FROM).join(" or ")}, got ${quote(kind)}. Name another folder.`,
    );
  const paintsFrom = PAINTS_FROM[kind as keyof typeof PAINTS_FROM];
  await expectFiles(path, [
    ...["text_encoder", "unet", "vae"].map((part) => `${part}/config.json`),
    "scheduler/scheduler_config.json",
    ...(paintsFrom === "image" ? ["image_noising_scheduler/scheduler_config.json"] : []),
  ]);

  const textEncoder = await json("text_encoder/config.json", readClipTextConfig);
  const unet = await json("unet/config.json", readUnetConfig);
  const vae = await json("vae/config.json", readVaeConfig);
  checkSizes(path, { paintsFrom, textEncoder, unet, vae });
  const hasImageEncoder = paintsFrom === "image" && (await exists(at("image_encoder", "config.json")));
  const imageEncoder = hasImageEncoder ? await json("image_encoder/config.json", readClipVisionConfig) : undefined;

  const builders: readonly (readonly [PartName, () => BuiltPart])[] = [
    ["text_encoder", () => textEncoderPart(textEncoder)],
    ["unet", () => unetPart(unet, textEncoder.maxPositions)],
    ["vae", () => vaePart(vae, unet.sampleSize)],
    ...(imageEncoder ? [["image_encoder", () => imageEncoderPart(imageEncoder)] as const] : []),
  ];
  const parts: Partial<Record<PartName, Part>> = {};
  for (const [name, build] of builders) {
    const { outputs, stored } = buildFrom(at(name, "config.json"), build);
    parts[name] = { outputs, weights: await partWeights(at(name), stored) };
  }
  const { vocabulary, maxPositions: length, activation } = textEncoder;
  const fill = activation === "quick_gelu" ? "end" : "zero";
  const own = await json("scheduler/scheduler_config.json", (it, where) => ({ it, sampler: readScheduler(it, where) }));
  return {
    path,
    paintsFrom,
    textEncoder,
    unet,
    vae,
    prompts: await ClipPrompts.open(at("tokenizer"), { vocabulary, length, fill }),
    scheduler: (name) => (name ? readScheduler(otherSampler(own.it, name), path) : own.sampler),
    ...(paintsFrom === "image"
      ? {
          imageNoise: {
            normalizer: await readNormalizer(at("image_normalizer"), imageWidth(unet)),
            schedule: await json("image_noising_scheduler/scheduler_config.json", readNoiseSchedule),
          },
        }
      : {}),
    ...(imageEncoder ? { imageEncoder } : {}),
    parts,
  };
}

/** Width of the image embedding: the other half of the class vector says how noisy it is. */
export function imageWidth({ projectionClassEmbeddingsInputDim = 0 }: UnetConfig): number {
  return projectionClassEmbeddingsInputDim / 2;
}

/** What a sampler's file does not say is not meant for it: latents are never clipped, PNDM starts without Runge-Kutta steps. */
function otherSampler(json: unknown, name: SamplerName): unknown {
  return { ...(json as object), _class_name: SAMPLERS[name], clip_sample: false, skip_prk_steps: true };
}

async function readNormalizer(folder: string, width: number): Promise<ImageNormalizer> {
  const file = await openPart(await findWeights(folder));
  try {
    expectTensors(
      file,
      ["mean", "std"].map((name) => [name, [1, width]]),
    );
    return { mean: await file.readFloat32("mean"), std: await file.readFloat32("std") };
  } finally {
    await file.close();
  }
}

async function expectFiles(path: string, names: readonly string[]): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (!found) throw new SetupError(`${path}: no such diffusers folder. Check the path.`);
  const here = await Promise.all(names.map((name) => exists(join(path, name))));
  const missing = names.filter((_, i) => !here[i]);
  if (missing.length > 0)
    throw new SetupError(`${path}: expected ${missing.join(", ")}, found none. Copy the whole diffusers folder again.`);
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** Numbers that stand in two files must agree. */
function checkSizes(
  path: string,
  { paintsFrom, textEncoder, unet, vae }: Pick<DiffusersFolder, "paintsFrom" | "textEncoder" | "unet" | "vae">,
): void {
  const wrong = (
    [
      ["cross_attention_dim in unet/config.json", textEncoder.width, unet.crossAttentionDim],
      ["in_channels in unet/config.json", vae.latentChannels, unet.inChannels],
      ["out_channels in unet/config.json", vae.latentChannels, unet.outChannels],
      ["out_channels in vae/config.json", 3, vae.outChannels],
    ] as const
  )
    .filter(([, expected, got]) => expected !== got)
    .map(([what, expected, got]) => `${what}: expected ${expected}, got ${got}`);
  const classes = unet.projectionClassEmbeddingsInputDim;
  if (paintsFrom === "image" && (classes === undefined || classes % 4 !== 0))
    wrong.push(
      `projection_class_embeddings_input_dim in unet/config.json: expected a multiple of 4, got ${classes ?? "none"}`,
    );
  if (paintsFrom === "text" && classes !== undefined)
    wrong.push("class_embed_type in unet/config.json: expected none in a StableDiffusionPipeline, got projection");
  const side = unet.sampleSize * vaeFactor(vae);
  if (side > 4096) wrong.push(`sample_size in unet/config.json: expected pictures of at most 4096 px, got ${side}`);
  if (wrong.length > 0) throw new InputError(`${path}: ${wrong.join("; ")}. Do the files belong together?`);
}
