/**
 * The mini model's picture autoencoder: Stable Diffusion's VAE behind a folding of pixels into channels, which spares a
 * small model the wide convolutions at full size. Latents come out at unit variance. Rombach et al. 2022.
 */
import type { Params, Tensor } from "../graph/index.ts";
import { type LatentDistribution, type VaeConfig, vaeDecode, vaeEncode, vaeFactor } from "./vae.ts";

export interface PixelVaeConfig extends Omit<VaeConfig, "scalingFactor" | "inChannels" | "outChannels"> {
  /** Pixels a side that become one place with 3 fold² channels before the first convolution. */
  readonly fold: number;
}

/** Pixels a side of one latent. */
export function pixelVaeFactor(config: PixelVaeConfig): number {
  return config.fold * vaeFactor(inner(config));
}

/** f32 [B,C,Y,X] -> [B,C fold²,Y/fold,X/fold]; channels are (channel, row, column). */
export function foldPixels(x: Tensor, fold: number): Tensor {
  const [B, C, Y, X] = [x.dim(0), x.size(1), x.size(2) / fold, x.size(3) / fold];
  return x
    .reshape([B, C, Y, fold, X, fold])
    .transpose([0, 1, 3, 5, 2, 4])
    .reshape([B, C * fold * fold, Y, X]);
}

/** The inverse. */
export function unfoldPixels(x: Tensor, fold: number): Tensor {
  const [B, C, Y, X] = [x.dim(0), x.size(1) / (fold * fold), x.size(2), x.size(3)];
  return x
    .reshape([B, C, fold, fold, Y, X])
    .transpose([0, 1, 4, 2, 5, 3])
    .reshape([B, C, Y * fold, X * fold]);
}

/** pixels: f32 [B,3,Y,X] within 0..1 -> distributions f32 [B,latent,y,x], not yet scaled. Keys `encoder.*`, `quant_conv`. */
export function pixelVaeEncode(p: Params, pixels: Tensor, config: PixelVaeConfig): LatentDistribution {
  return vaeEncode(p, foldPixels(pixels.mul(2).sub(1), config.fold), inner(config));
}

/** latents: f32 [B,latent,y,x], not scaled -> pixels f32 [B,3,Y,X], about 0..1. Keys `post_quant_conv`, `decoder.*`. */
export function pixelVaeDecode(p: Params, latents: Tensor, config: PixelVaeConfig): Tensor {
  return unfoldPixels(vaeDecode(p, latents, inner(config)), config.fold)
    .mul(0.5)
    .add(0.5);
}

/** Key `scaling_factor`: what latents are multiplied with so that they have unit variance; training measures it. */
export function scalingFactor(p: Params): Tensor {
  return p.get("scaling_factor", [], { kind: "constant", value: 1 });
}

/** pixels f32 [B,3,Y,X] within 0..1 -> the means as a diffusion model sees them, f32 [B,latent,y,x] of unit variance. */
export function pixelsToLatents(p: Params, pixels: Tensor, config: PixelVaeConfig): Tensor {
  return pixelVaeEncode(p, pixels, config).mean.mul(scalingFactor(p));
}

/** The inverse, clamped to 0..1. */
export function latentsToPixels(p: Params, latents: Tensor, config: PixelVaeConfig): Tensor {
  return pixelVaeDecode(p, latents.div(scalingFactor(p)), config)
    .maximum(0)
    .minimum(1);
}

function inner(config: PixelVaeConfig): VaeConfig {
  const channels = 3 * config.fold ** 2;
  return { ...config, inChannels: channels, outChannels: channels };
}
