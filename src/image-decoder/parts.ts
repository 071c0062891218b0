/** The graphs of a diffusers folder, one per part: each has its own weights and is compiled when it is first needed. */
import { entry } from "../base/item.ts";
import { concat, input, type Outputs, Params, shapesOf } from "../graph/index.ts";
import { type TextEncoderConfig, textEncoder } from "../models/clip.ts";
import { type ClipVisionConfig, clipVision } from "../models/clip-vision.ts";
import { type SpatialConditioningConfig, spatialConditioning } from "../models/spatial-conditioning.ts";
import { type UnetConfig, unet } from "../models/unet.ts";
import { latentsToPixels, type VaeConfig } from "../models/vae.ts";
import type { StoredPart } from "./part-weights.ts";

/** As the sub-folders are called. */
export type PartName = "text_encoder" | "unet" | "vae" | "image_encoder" | "conditioner";

export interface BuiltPart {
  readonly outputs: Outputs;
  readonly stored: StoredPart;
}

/** ids i32 [B,L] -> features f32 [B,L,D]. */
export function textEncoderPart(config: TextEncoderConfig): BuiltPart {
  const p = new Params();
  const features = textEncoder(p, input("ids", ["B", config.maxPositions], "i32"), config);
  // transformers 5 leaves the prefix out
  return {
    outputs: { features },
    stored: { shapes: shapesOf(p), rename: (name) => name.replace(/^text_model\./, "") },
  };
}

/**
 * latents f32 [B,C,Y,X], timesteps f32 [B], context f32 [B,L,D] -> answer f32 [B,C,Y,X]. Where the model has them also
 * class_embedding f32 [B,E], and channels f32 [B,K,Y,X], which are concatenated to the latents.
 */
export function unetPart(config: UnetConfig, contextLength: number): BuiltPart {
  const { inChannels, outChannels: C, sampleSize: side, crossAttentionDim: D } = config;
  const { projectionClassEmbeddingsInputDim: classes } = config;
  const p = new Params();
  const noisy = input("latents", ["B", C, side, side]);
  const K = inChannels - C;
  const latents = K > 0 ? concat([noisy, input("channels", ["B", K, side, side])], 1) : noisy;
  const context = input("context", ["B", contextLength, D]);
  const classEmbedding = classes ? input("class_embedding", ["B", classes]) : undefined;
  const answer = unet(p, latents, input("timesteps", ["B"]), context, config, classEmbedding);
  return { outputs: { answer }, stored: { shapes: shapesOf(p) } };
}

const OLD_ATTENTION: Readonly<Record<string, string>> = {
  query: "to_q",
  key: "to_k",
  value: "to_v",
  proj_attn: "to_out.0",
};

/** latents f32 [B,C,y,x], scaled -> pixels f32 [B,3,Y,X] within 0..1. The encoder is left out. */
export function vaePart(config: VaeConfig, side: number): BuiltPart {
  const p = new Params();
  const pixels = latentsToPixels(p, input("latents", ["B", config.latentChannels, side, side]), config);
  const rename = (name: string): string =>
    name.replace(/(?<=\.attentions\.\d+\.)(query|key|value|proj_attn)(?=\.)/, (old) => entry(OLD_ATTENTION, old));
  const other = (name: string): boolean => /^(encoder|quant_conv)\./.test(name);
  return { outputs: { pixels }, stored: { shapes: shapesOf(p), rename, other } };
}

/** class_embedding f32 [B,E] -> channels f32 [B,K,Y,X]. */
export function conditionerPart(width: number, config: SpatialConditioningConfig): BuiltPart {
  const p = new Params();
  const channels = spatialConditioning(p, input("class_embedding", ["B", width]), config);
  return { outputs: { channels }, stored: { shapes: shapesOf(p) } };
}

/** pixels f32 [B,3,Y,X] -> image f32 [B,E]. */
export function imageEncoderPart(config: ClipVisionConfig): BuiltPart {
  const p = new Params();
  const image = clipVision(p, input("pixels", ["B", 3, config.imageSize, config.imageSize]), config);
  return { outputs: { image }, stored: { shapes: shapesOf(p) } };
}

/** Mean and standard deviation of image embeddings of this width: weights of unCLIP that no graph reads. */
export function normalizerShapes(width: number): StoredPart["shapes"] {
  return ["mean", "std"].map((name) => [name, [1, width]] as const);
}
