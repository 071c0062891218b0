/**
 * Flow matching: the model learns the direction from data to noise at a random point of the straight line between them.
 * Lipman et al. 2023; sigma drawn as in Esser et al. 2024 (logit-normal). The sampler is `diffusion/flow-match-euler`.
 */
import type { Rng } from "../../base/rng.ts";
import type { Tensor } from "../../graph/index.ts";
import { mse } from "../../nn/index.ts";

export interface SigmaDistribution {
  /** sigma = sigmoid(N(mean, deviation)). Default 0.8 and 1.2: more noise than data, where a picture is decided. */
  readonly mean?: number;
  readonly deviation?: number;
}

/** One sigma in (0, 1) for each example, f32 [count]. */
export function drawSigmas(
  count: number,
  rng: Rng,
  { mean = 0.8, deviation = 1.2 }: SigmaDistribution = {},
): Float32Array {
  return Float32Array.from({ length: count }, () => 1 / (1 + Math.exp(-(mean + deviation * rng.normal()))));
}

/** The noisy latents that the model sees. clean, noise: f32 [B,C,Y,X], sigmas: f32 [B] -> f32 [B,C,Y,X]. */
export function noisyLatents(clean: Tensor, noise: Tensor, sigmas: Tensor): Tensor {
  const sigma = sigmas.reshape([sigmas.dim(0), 1, 1, 1]);
  return clean.add(noise.sub(clean).mul(sigma));
}

/** Mean squared error of the predicted direction noise - clean. All f32 [B,C,Y,X]. */
export function flowMatchingLoss(predicted: Tensor, clean: Tensor, noise: Tensor): Tensor {
  return mse(predicted, noise.sub(clean));
}
