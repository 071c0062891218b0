/**
 * How an image embedding becomes the class vector of Stable Diffusion 2.1 unCLIP: a little noise, and how much.
 * Ramesh et al. 2022; numbers as diffusers' `StableUnCLIPImg2ImgPipeline.noise_image_embeddings`.
 */
import { InputError } from "../base/errors.ts";
import type { Value } from "../base/value.ts";
import { NoiseSchedule } from "./noise-schedule.ts";

/** Statistics of image embeddings over the training data, f32 [E] each. */
export interface ImageNormalizer {
  readonly mean: Float32Array;
  readonly std: Float32Array;
}

/** Level 0 still adds noise, of standard deviation 0.0064 in normalized units. */
export const IMAGE_NOISE = new NoiseSchedule({ betaSchedule: "squaredcos_cap_v2" });

export interface NoiseOptions {
  readonly normalizer: ImageNormalizer;
  /** Step of `schedule`. Default 0. */
  readonly level?: number;
  /** Default `IMAGE_NOISE`. */
  readonly schedule?: NoiseSchedule;
}

/**
 * embeddings f32 [B,E], noise f32 [B,E] standard normal -> f32 [B,2E]: each embedding with noise added in normalized
 * units, then the sinusoidal embedding of the level, cosines first.
 * @throws InputError if the widths differ.
 */
export function unclipClassVectors(embeddings: Value, noise: Float32Array, options: NoiseOptions): Value {
  const { normalizer, level = 0, schedule = IMAGE_NOISE } = options;
  const [B, E] = embeddings.shape as [number, number];
  if (normalizer.mean.length !== E || normalizer.std.length !== E || noise.length !== B * E)
    throw new InputError(
      `unclip: expected a normalizer of width ${E} and ${B * E} noise values, ` +
        `got ${normalizer.mean.length}, ${normalizer.std.length} and ${noise.length}.`,
    );
  const [signal, sigma] = [schedule.signal(level), schedule.noise(level)];
  const levelPart = levelEmbedding(level, E);
  const data = new Float32Array(B * 2 * E);
  for (let b = 0; b < B; b++) {
    for (let i = 0; i < E; i++) {
      const [mean, std] = [normalizer.mean[i]!, normalizer.std[i]!];
      const normal = signal * ((embeddings.data[b * E + i]! - mean) / std) + sigma * noise[b * E + i]!;
      data[b * 2 * E + i] = normal * std + mean;
    }
    data.set(levelPart, b * 2 * E + E);
  }
  return { shape: [B, 2 * E], data };
}

/** The negative without negative codes: zeros, the half of the level included. f32 [B,2E]. */
export function emptyClassVectors(batch: number, width: number): Value {
  return { shape: [batch, 2 * width], data: new Float32Array(batch * 2 * width) };
}

/** f32 [E], cosines then sines at frequencies from 1 down to about 1/10000. */
function levelEmbedding(level: number, E: number): Float32Array {
  const half = E / 2;
  const angle = (i: number): number => level * Math.exp((-Math.log(10000) * i) / half);
  return Float32Array.from({ length: E }, (_, i) => (i < half ? Math.cos(angle(i)) : Math.sin(angle(i - half))));
}
