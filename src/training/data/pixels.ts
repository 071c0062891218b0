/** Pixels of pictures as the models take them. */
import { toTensor } from "../../image/index.ts";
import type { SeedlingConfig } from "../../models/config.ts";
import type { Value } from "../../runtime/index.ts";
import type { Picture } from "./pictures.ts";

/** f32 [B,3,Y,X] within 0..1, as the autoencoder takes them. */
export function plainPixels(pictures: readonly Picture[], size: number): Value {
  return pixels(pictures, size, { mean: [0, 0, 0], std: [1, 1, 1] });
}

/** f32 [B,3,Y,X] normalized by the mean and deviation of the model, as the vision tower takes them. */
export function normalizedPixels(pictures: readonly Picture[], { pixels: stats, vision }: SeedlingConfig): Value {
  return pixels(pictures, vision.imageSize, stats as Stats);
}

interface Stats {
  readonly mean: [number, number, number];
  readonly std: [number, number, number];
}

function pixels(pictures: readonly Picture[], size: number, stats: Stats): Value {
  const images = pictures.map(({ image }) => image);
  return { shape: [images.length, 3, size, size], data: toTensor(images, stats) };
}
