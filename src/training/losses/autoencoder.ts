/**
 * The autoencoder's losses: absolute and squared errors of pixels and absolute errors of their gradients, which keep edges
 * sharp without a discriminator; noise on the latents in place of a divergence, so that nearby latents decode to similar
 * pictures and a diffusion model's small errors do not show.
 */
import { stopGradient, type Tensor } from "../../graph/index.ts";
import { inOnePiece, type WholeBatch } from "../loop/whole-batch.ts";
import { batchMoments } from "./batch-moments.ts";

export interface AutoencoderTerms {
  /** Mean absolute and mean squared error of pixels within -1..1. */
  readonly absolute: Tensor;
  readonly squared: Tensor;
  /** Mean absolute error of the differences between neighboring pixels, both axes. */
  readonly gradient: Tensor;
}

/** decoded, pixels: f32 [B,3,Y,X] within -1..1. */
export function autoencoderTerms(decoded: Tensor, pixels: Tensor): AutoencoderTerms {
  const error = decoded.sub(pixels);
  const along = (axis: number): Tensor => {
    const size = error.size(axis);
    return error
      .slice(axis, 1, size)
      .sub(error.slice(axis, 0, size - 1))
      .abs()
      .mean();
  };
  return {
    absolute: error.abs().mean(),
    squared: error.square().mean(),
    gradient: along(2).add(along(3)).mul(0.5),
  };
}

/** absolute + 2 squared + 0.5 gradient + 1e-4 z². latents: f32 [B,C,y,x], without noise. */
export function autoencoderLoss({ absolute, squared, gradient }: AutoencoderTerms, latents: Tensor): Tensor {
  return absolute.add(squared.mul(2)).add(gradient.mul(0.5)).add(latents.square().mean().mul(1e-4));
}

/**
 * Latents with noise in units of each channel's deviation over the batch, which no gradient flows through.
 * latents, noise: f32 [B,C,y,x]; the caller scales the noise of each picture by a share drawn from 0..0.3.
 */
export function noisyForDecoder(latents: Tensor, noise: Tensor, whole: WholeBatch = inOnePiece): Tensor {
  const { variance } = batchMoments(latents, [0, 2, 3], whole);
  return latents.add(noise.mul(stopGradient(variance.sqrt())));
}
