/**
 * An image autoencoder that is trained here: the scale that brings its latents to unit variance is measured meanwhile and
 * is one of its weights. A finished model has it in its config.json. Rombach et al. 2022.
 */
import type { Params, Tensor } from "../graph/index.ts";
import { toUnitRange, type VaeConfig, vaeDecode, vaeEncode } from "./vae.ts";

/** Key `scaling_factor`: what latents are multiplied with so that they have unit variance. */
export function scalingFactor(p: Params): Tensor {
  return p.get("scaling_factor", [], { kind: "constant", value: 1 });
}

/** pixels f32 [B,3,Y,X] within 0..1 -> the means as a diffusion model sees them, f32 [B,latent,y,x] of unit variance. */
export function pixelsToScaledLatents(p: Params, pixels: Tensor, config: VaeConfig): Tensor {
  return vaeEncode(p, pixels.mul(2).sub(1), config).mean.mul(scalingFactor(p));
}

/** The inverse, clamped to 0..1. */
export function scaledLatentsToPixels(p: Params, latents: Tensor, config: VaeConfig): Tensor {
  return toUnitRange(vaeDecode(p, latents.div(scalingFactor(p)), config));
}
