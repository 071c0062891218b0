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
  /** Image embeddings f32 [B,E], or drafts f32 [B,K,Y,X], whichever it takes; zeros for none. */
  readonly picture: Tensor;
}

/** Shape of the picture that a denoiser is conditioned on besides text: an image embedding [E], or a draft [K,Y,X]. */
export function pictureShape(config: UnetConfig): readonly number[] {
  const { inChannels, outChannels, sampleSize: side, projectionClassEmbeddingsInputDim: E } = config;
  return E === undefined ? [inChannels - outChannels, side, side] : [E];
}

/**
 * latents: f32 [B,C,Y,X], timesteps: f32 [B] -> clean latents, f32 [B,C,Y,X]. A draft is concatenated with the latents, as
 * InstructPix2Pix and inpainting models do with their pictures; an image embedding joins the timestep, and where the UNet
 * takes more channels than the latents have it is laid out over them. Keys `unet.*`, `conditioner.*`.
 */
export function denoiser(
  p: Params,
  latents: Tensor,
  timesteps: Tensor,
  { text, picture }: Conditioning,
  config: UnetConfig,
): Tensor {
  if (pictureShape(config).length === 3)
    return unet(p.at("unet"), concat([latents, picture], 1), timesteps, text, config);
  const channels = config.inChannels - config.outChannels;
  const conditioning = (): Tensor =>
    spatialConditioning(p.at("conditioner"), picture, { channels, side: config.sampleSize });
  const x = channels > 0 ? concat([latents, conditioning()], 1) : latents;
  return unet(p.at("unet"), x, timesteps, text, config, picture);
}

/** x f32 [B,C,Y,X], t f32 [B], text f32 [B,L,D], picture f32 [B,E] or [B,K,Y,X] -> clean f32 [B,C,Y,X]. */
export function denoiserGraph(config: UnetConfig, contextLength: number, p: Params = new Params()): Outputs {
  const { outChannels: C, sampleSize: side, crossAttentionDim: D } = config;
  const picture = input("picture", ["B", ...pictureShape(config)]);
  const conditioning = { text: input("text", ["B", contextLength, D]), picture };
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
