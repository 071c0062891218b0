/** Pixels to the tensors that models read. */

import { UsageError } from "../base/errors.ts";
import { item } from "../base/item.ts";
import type { RgbImage } from "./rgb-image.ts";

export interface ChannelStats {
  /** Per channel (red, green, blue), of values in 0..1. */
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
}

/** The statistics of CLIP, which EVA-CLIP, BLIP-2 and SEED share. */
export const CLIP_STATS: ChannelStats = {
  mean: [0.48145466, 0.4578275, 0.40821073],
  std: [0.26862954, 0.26130258, 0.27577711],
};

/**
 * (pixel / 255 - mean) / std, rounded to float32 after each step like torchvision's `ToTensor` and `Normalize`.
 *
 * images: B pictures of one size -> f32 [B,3,Y,X]
 * @throws UsageError if the sizes differ.
 */
export function toTensor(images: readonly RgbImage[], { mean, std }: ChannelStats = CLIP_STATS): Float32Array {
  const { width, height } = images[0] ?? { width: 0, height: 0 };
  const area = width * height;
  const tensor = new Float32Array(images.length * 3 * area);
  const levels = mean.map((own, c) => channelLevels(own, item(std, c)));
  for (const [b, image] of images.entries()) {
    if (image.width !== width || image.height !== height) {
      throw new UsageError(
        `toTensor: expected every picture to be ${width}x${height}, got ${image.width}x${image.height} at position ${b}.`,
      );
    }
    for (const [c, table] of levels.entries()) {
      const plane = (b * 3 + c) * area;
      for (let i = 0, p = c; i < area; i++, p += 3) tensor[plane + i] = table[image.data[p]!]!;
    }
  }
  return tensor;
}

/** The normalized value of each of the 256 levels of one channel. */
function channelLevels(mean: number, std: number): Float32Array {
  const f = Math.fround;
  return Float32Array.from({ length: 256 }, (_, v) => f(f(v / 255) - f(mean)) / f(std));
}

/** One picture of a batch of values in 0..1 (clamped, NaN is black) as pixels. tensor: f32 [B,3,Y,X]. */
export function fromTensor(tensor: Float32Array, width: number, height: number, position = 0): RgbImage {
  const area = width * height;
  if (tensor.length < (position + 1) * 3 * area) {
    throw new UsageError(
      `fromTensor: expected at least ${(position + 1) * 3 * area} values (${position + 1}x3x${height}x${width}), got ${tensor.length}.`,
    );
  }
  const data = new Uint8ClampedArray(area * 3);
  for (let c = 0; c < 3; c++) {
    const plane = (position * 3 + c) * area;
    for (let i = 0; i < area; i++) data[i * 3 + c] = tensor[plane + i]! * 255;
  }
  return { width, height, data: new Uint8Array(data.buffer) };
}
