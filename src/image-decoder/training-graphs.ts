/** The graphs of an image decoder that is being trained here: all weights below `unet`, `conditioner` and `vae`. */
import { concat, input, type Outputs, Params, type Tensor } from "../graph/index.ts";
import { denormalizeLatents, normalizeLatents } from "../models/latent-stats.ts";
import { spatialConditioning } from "../models/spatial-conditioning.ts";
import { type UnetConfig, unet } from "../models/unet.ts";
import { toUnitRange, type VaeConfig, vaeDecode, vaeEncode, vaeFactor } from "../models/vae.ts";

/** What the denoiser is conditioned on. */
export interface Conditioning {
  /** Text features, f32 [B,L,D]. */
  readonly text: Tensor;
  /** Image embeddings, f32 [B,E]; zeros for none. */
  readonly image: Tensor;
}

/**
 * latents: f32 [B,C,Y,X], timesteps: f32 [B] -> clean latents, f32 [B,C,Y,X]. Where the UNet takes more channels than the
 * latents have, the image embedding is laid out over them. Keys `unet.*`, `conditioner.*`.
 */
export function denoiser(
  p: Params,
  latents: Tensor,
  timesteps: Tensor,
  { text, image }: Conditioning,
  config: UnetConfig,
): Tensor {
  const channels = config.inChannels - config.outChannels;
  const conditioning = (): Tensor =>
    spatialConditioning(p.at("conditioner"), image, { channels, side: config.sampleSize });
  const x = channels > 0 ? concat([latents, conditioning()], 1) : latents;
  return unet(p.at("unet"), x, timesteps, text, config, image);
}

/** x f32 [B,C,Y,X], t f32 [B], text f32 [B,L,D], image f32 [B,E] -> clean f32 [B,C,Y,X]. */
export function denoiserGraph(config: UnetConfig, contextLength: number, p: Params = new Params()): Outputs {
  const { outChannels: C, sampleSize: side, crossAttentionDim: D, projectionClassEmbeddingsInputDim: E = 0 } = config;
  const conditioning = { text: input("text", ["B", contextLength, D]), image: input("image", ["B", E]) };
  return { clean: denoiser(p, input("x", ["B", C, side, side]), input("t", ["B"]), conditioning, config) };
}

/** pixels f32 [B,3,Y,X] within 0..1 -> latents f32 [B,C,y,x], mean 0 and deviation 1 by channel. Keys `vae.*`. */
export function pixelsToLatents(p: Params, pixels: Tensor, config: VaeConfig): Tensor {
  return normalizeLatents(p.at("vae"), vaeEncode(p.at("vae"), pixels.mul(2).sub(1), config).mean);
}

/** The inverse, clamped to 0..1. */
export function latentsToPixels(p: Params, latents: Tensor, config: VaeConfig): Tensor {
  return toUnitRange(vaeDecode(p.at("vae"), denormalizeLatents(p.at("vae"), latents), config));
}

/** pixels f32 [B,3,size,size] within 0..1 -> latents f32 [B,C,y,x] of unit variance. */
export function vaeEncoderGraph(config: VaeConfig, size: number, p: Params = new Params()): Outputs {
  return { latents: pixelsToLatents(p, input("pixels", ["B", 3, size, size]), config) };
}

/** latents f32 [B,C,y,x] of unit variance -> pixels f32 [B,3,size,size] within 0..1. */
export function vaeDecoderGraph(config: VaeConfig, size: number, p: Params = new Params()): Outputs {
  const side = size / vaeFactor(config);
  const latents = input("latents", ["B", config.latentChannels, side, side]);
  return { pixels: latentsToPixels(p, latents, config) };
}
