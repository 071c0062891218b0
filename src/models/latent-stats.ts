/**
 * Latents normalized by channel, so that drafts and noise share one scale: a channel of small deviation would hardly count
 * in a squared error and would drown in the noise. diffusers keeps the same numbers as `latents_mean` and `latents_std` of an
 * `AutoencoderKL`. Training measures them once the autoencoder is frozen.
 */
import { ones, type Params, type Tensor, zeros } from "../graph/index.ts";

/** Latents of an autoencoder f32 [B,C,Y,X] -> mean 0 and deviation 1 by channel. Keys `latents_mean`, `latents_std` [C]. */
export function normalizeLatents(p: Params, latents: Tensor): Tensor {
  const { mean, deviation } = stats(p, latents.size(1));
  return latents.sub(mean).div(deviation);
}

/** The inverse. */
export function denormalizeLatents(p: Params, latents: Tensor): Tensor {
  const { mean, deviation } = stats(p, latents.size(1));
  return latents.mul(deviation).add(mean);
}

function stats(p: Params, C: number): { mean: Tensor; deviation: Tensor } {
  return {
    mean: p.get("latents_mean", [C], zeros).reshape([C, 1, 1]),
    deviation: p.get("latents_std", [C], ones).reshape([C, 1, 1]),
  };
}

/** Sums over many latents, from which the statistics follow. Float64, so the order of batches hardly matters. */
export class LatentStats {
  readonly #channels: number;
  readonly #sums: Float64Array;
  readonly #squares: Float64Array;
  #count = 0;

  constructor(channels: number) {
    this.#channels = channels;
    this.#sums = new Float64Array(channels);
    this.#squares = new Float64Array(channels);
  }

  /** latents: f32 [B,C,Y,X], area: Y X. */
  add(latents: Float32Array, area: number): void {
    for (const [i, x] of latents.entries()) {
      const channel = Math.floor(i / area) % this.#channels;
      this.#sums[channel] = this.#sums[channel]! + x;
      this.#squares[channel] = this.#squares[channel]! + x * x;
    }
    this.#count += latents.length / this.#channels;
  }

  /** f32 [C] each; a channel that never varies has deviation 1. */
  result(): { readonly mean: Float32Array; readonly deviation: Float32Array } {
    const mean = Float32Array.from(this.#sums, (sum) => sum / this.#count);
    const deviation = Float32Array.from(this.#squares, (square, c) => {
      const variance = square / this.#count - (this.#sums[c]! / this.#count) ** 2;
      return variance > 1e-12 ? Math.sqrt(variance) : 1;
    });
    return { mean, deviation };
  }
}
