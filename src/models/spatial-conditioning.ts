/**
 * An image embedding laid out over the grid of the latents, as channels that are concatenated to them: a vector that is
 * added equally everywhere tells a small diffusion model little about where objects are. Ours; the way InstructPix2Pix and
 * inpainting models are conditioned.
 */
import type { Params, Tensor } from "../graph/index.ts";
import { dense } from "./resnet2d.ts";

export interface SpatialConditioningConfig {
  readonly channels: number;
  /** Rows and columns of the latents. */
  readonly side: number;
}

/** embedding: f32 [B,E] -> f32 [B,channels,side,side]. Keys `weight`, `bias`. */
export function spatialConditioning(p: Params, embedding: Tensor, config: SpatialConditioningConfig): Tensor {
  const { channels, side } = config;
  return dense(p, embedding, channels * side * side).reshape([embedding.dim(0), channels, side, side]);
}
