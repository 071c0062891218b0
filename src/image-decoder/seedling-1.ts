/**
 * The image decoder of model folders of the first format: unet/ and vae/ with camel-case configs of our own, scheduler.json,
 * and a UNet with a learned vector at each position. To be removed with the weights in models/seedling-mini, which need it.
 */
import { z } from "zod";
import { InputError } from "../base/errors.ts";
import { item } from "../base/item.ts";
import { parseWith } from "../base/parse-with.ts";
import { ddim, dpmSolver, euler, pndm, type SamplerName } from "../diffusion/index.ts";
import { buildFrom, concat, input, normal, type Outputs, ones, Params, shapesOf } from "../graph/index.ts";
import { join } from "../io/paths.ts";
import { FORMAT } from "../models/config.ts";
import { spatialConditioning } from "../models/spatial-conditioning.ts";
import { type UnetConfig, unetBody } from "../models/unet.ts";
import { toUnitRange, type VaeConfig, vaeDecode, vaeFactor } from "../models/vae.ts";
import { conv2d } from "../nn/index.ts";
import { readJsonFile } from "../weights/index.ts";
import { checkedWeights, type StoredNames } from "../weights/mapped/weights.ts";
import type { DiffusersFolder, OpenedPart } from "./folder.ts";
import type { DecoderFiles } from "./write-decoder.ts";

const oldConfig = z.looseObject({
  format: z.literal("seedling-1"),
  paintsFrom: z.enum(["image", "text"]),
  text: z.looseObject({ suffix: z.literal("_text").optional() }),
});

/** config.json of the first format as one of today's: only the head that was stored is there. Other JSON as it is. */
export function translateConfig(json: unknown): unknown {
  const parsed = oldConfig.safeParse(json);
  if (!parsed.success) return json;
  const { format: _, paintsFrom, text, image, ...rest } = parsed.data;
  const { suffix: __, ...sizes } = text;
  return { format: FORMAT, ...rest, ...(paintsFrom === "image" ? { image } : { text: sizes }) };
}

export const SEEDLING_1_FILES = [
  "scheduler.json",
  "unet/config.json",
  "unet/model.safetensors",
  "vae/config.json",
  "vae/model.safetensors",
] as const;

const count = z.int().min(1).max(100_000);
const depth = count.max(16);

const parseUnet = parseWith(
  z
    .strictObject({
      sampleSize: count,
      inChannels: count,
      outChannels: count,
      blockOutChannels: z.array(count).min(1).max(8),
      layersPerBlock: depth,
      downBlockTypes: z.array(z.enum(["CrossAttnDownBlock2D", "DownBlock2D"])),
      upBlockTypes: z.array(z.enum(["CrossAttnUpBlock2D", "UpBlock2D"])),
      crossAttentionDim: count,
      attentionHeads: z.union([count, z.array(count)]),
      useLinearProjection: z.boolean().optional(),
      normNumGroups: count.optional(),
      normEps: z.number().positive().optional(),
      flipSinToCos: z.boolean().optional(),
      freqShift: z.number().optional(),
      classEmbedType: z.literal("projection"),
      projectionClassEmbeddingsInputDim: count,
      hintChannels: count.optional(),
      placeEmbedding: z.boolean().optional(),
    })
    .refine(
      (c) =>
        [c.downBlockTypes, c.upBlockTypes, c.attentionHeads].every(
          (list) => !Array.isArray(list) || list.length === c.blockOutChannels.length,
        ),
      { message: "expected downBlockTypes, upBlockTypes and attentionHeads as long as blockOutChannels" },
    ),
);

const parseVae = parseWith(
  z.strictObject({
    fold: count.max(64),
    latentChannels: count,
    blockOutChannels: z.array(count).min(1).max(8),
    layersPerBlock: depth,
    normNumGroups: count.optional(),
  }),
);

const SAMPLERS = { ddim, pndm, euler, "dpm-solver": dpmSolver } as const;

const parseScheduler = parseWith(
  z.strictObject({
    noise: z.strictObject({
      trainSteps: count.optional(),
      betaSchedule: z.enum(["linear", "scaled_linear", "squaredcos_cap_v2"]).optional(),
      betaStart: z.number().positive().optional(),
      betaEnd: z.number().positive().optional(),
      predictionType: z.enum(["epsilon", "v_prediction", "sample"]),
    }),
    steps: z.int().min(1),
    guidanceScale: z.number(),
    scheduler: z.enum(["ddim", "pndm", "euler", "dpm-solver"]),
    timestepSpacing: z.enum(["leading", "linspace", "trailing"]).optional(),
    clip: z.number().positive().optional(),
  }),
);

type OldUnet = ReturnType<typeof parseUnet>;

/** The files of a decoder of the same sizes in today's layout, in which positions have no vectors of their own. */
export async function translateDecoderFiles(path: string): Promise<DecoderFiles> {
  const json = async <T>(name: string, parse: (json: unknown, where: string) => T): Promise<T> =>
    parse(await readJsonFile(join(path, name)), join(path, name));
  const unet = await json("unet/config.json", parseUnet);
  const vae = await json("vae/config.json", parseVae);
  const { noise, steps, guidanceScale } = await json("scheduler.json", parseScheduler);
  const channels = 3 * vae.fold ** 2;
  const levels = vae.blockOutChannels.length;
  return {
    unet: {
      _class_name: "UNet2DConditionModel",
      sample_size: unet.sampleSize,
      in_channels: unet.inChannels + (unet.hintChannels ?? 0),
      out_channels: unet.outChannels,
      block_out_channels: unet.blockOutChannels,
      layers_per_block: unet.layersPerBlock,
      down_block_types: unet.downBlockTypes,
      up_block_types: unet.upBlockTypes,
      cross_attention_dim: unet.crossAttentionDim,
      attention_head_dim: unet.attentionHeads,
      use_linear_projection: unet.useLinearProjection ?? false,
      norm_num_groups: unet.normNumGroups ?? 32,
      class_embed_type: unet.classEmbedType,
      projection_class_embeddings_input_dim: unet.projectionClassEmbeddingsInputDim,
    },
    vae: {
      _class_name: "AutoencoderKL",
      patch_size: vae.fold,
      in_channels: channels,
      out_channels: channels,
      latent_channels: vae.latentChannels,
      block_out_channels: vae.blockOutChannels,
      down_block_types: Array(levels).fill("DownEncoderBlock2D"),
      up_block_types: Array(levels).fill("UpDecoderBlock2D"),
      layers_per_block: vae.layersPerBlock,
      norm_num_groups: vae.normNumGroups ?? 32,
    },
    scheduler: {
      _class_name: "DDIMScheduler",
      beta_schedule: noise.betaSchedule ?? "scaled_linear",
      prediction_type: noise.predictionType,
      clip_sample: false,
    },
    pipeline: { num_inference_steps: steps, guidance_scale: guidanceScale },
  };
}

/**
 * @param textShape tokens and width of the text features that the model's own text encoder gives
 * @throws InputError for a missing file, a wrong key or sizes that do not fit; CheckpointError listing
 * every tensor that is missing, extra or misshaped.
 */
export async function openSeedling1Decoder(
  path: string,
  textShape: readonly [number, number],
  sampler?: SamplerName,
): Promise<DiffusersFolder> {
  const json = async <T>(name: string, parse: (json: unknown, where: string) => T): Promise<T> =>
    parse(await readJsonFile(join(path, name)), join(path, name));
  const sizes = await json("unet/config.json", parseUnet);
  const { fold, ...old } = await json("vae/config.json", parseVae);
  const channels = 3 * fold ** 2;
  const vae: VaeConfig = { ...old, patchSize: fold, inChannels: channels, outChannels: channels };
  const { noise, scheduler: own, steps, guidanceScale, ...spacing } = await json("scheduler.json", parseScheduler);
  checkSizes(path, sizes, vae, textShape);
  const scheduler = (name = sampler ?? own) => SAMPLERS[name]({ ...noise, ...spacing });
  scheduler();
  const part = async (name: "unet" | "vae", build: (p: Params) => Outputs, names: StoredNames): Promise<OpenedPart> => {
    const p = new Params();
    const outputs = buildFrom(join(path, name, "config.json"), () => build(p));
    return { outputs, weights: await checkedWeights(join(path, name, "model.safetensors"), shapesOf(p), names) };
  };
  return {
    path,
    accepts: ["image", "text"],
    defaults: { steps, guidanceScale, noiseScale: 1, batch: 8 },
    imageSize: sizes.sampleSize * vaeFactor(vae),
    latentShape: [vae.latentChannels, sizes.sampleSize, sizes.sampleSize],
    textShape,
    imageWidth: sizes.projectionClassEmbeddingsInputDim,
    scheduler,
    parts: {
      unet: await part("unet", (p) => unetGraph(p.at("unet"), sizes, textShape), {}),
      vae: await part("vae", (p) => vaeGraph(p.at("vae"), vae, sizes.sampleSize), {
        other: (name) => /^vae\.(encoder|quant_conv)\./.test(name),
      }),
    },
  };
}

/** Keys `class_places`, which lays the image embedding out as channels, and `place_embedding`; else those of the UNet. */
function unetGraph(p: Params, sizes: OldUnet, [L, D]: readonly [number, number]): Outputs {
  const { hintChannels: channels, placeEmbedding, sampleSize: side, inChannels } = sizes;
  const width = item(sizes.blockOutChannels, 0);
  const latents = input("latents", ["B", inChannels, side, side]);
  const image = input("class_embedding", ["B", sizes.projectionClassEmbeddingsInputDim]);
  const x = channels
    ? concat([latents, spatialConditioning(p.at("class_places"), image, { channels, side })], 1)
    : latents;
  const h = conv2d(p.at("conv_in"), x, width, { kernel: 3 });
  const first = placeEmbedding ? h.add(p.get("place_embedding", [width, side, side], normal(0.1))) : h;
  const context = input("context", ["B", L, D]);
  return { answer: unetBody(p, first, input("timesteps", ["B"]), context, sizes as UnetConfig, image) };
}

/** Key `scaling_factor`: what latents were multiplied by; a weight in this format. */
function vaeGraph(p: Params, vae: VaeConfig, side: number): Outputs {
  const scale = p.get("scaling_factor", [], ones);
  const latents = input("latents", ["B", vae.latentChannels, side, side]);
  return { pixels: toUnitRange(vaeDecode(p, latents.div(scale), vae)) };
}

const MAX_SIDE = 4096;

/** Numbers that two files state must agree, and none may be absurd. */
function checkSizes(path: string, unet: OldUnet, vae: VaeConfig, [, width]: readonly [number, number]): void {
  const rows = [
    ["crossAttentionDim", width, unet.crossAttentionDim],
    ["inChannels", vae.latentChannels, unet.inChannels],
    ["outChannels", vae.latentChannels, unet.outChannels],
  ] as const;
  const wrong = rows
    .filter(([, expected, got]) => expected !== got)
    .map(([what, expected, got]) => `${what} in unet/config.json: expected ${expected}, got ${got}`);
  const side = unet.sampleSize * vaeFactor(vae);
  if (side > MAX_SIDE)
    wrong.push(`sampleSize in unet/config.json: expected pictures of at most ${MAX_SIDE} px, got ${side}`);
  if (wrong.length > 0) throw new InputError(`${path}: ${wrong.join("; ")}. Do the files belong together?`);
}
