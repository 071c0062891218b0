/**
 * The mini model's latents: pixels folded into channels, no autoencoder. A square of `factor` x `factor` pixels becomes
 * one place with 3 factor² channels (channel, row, column), values in -1..1.
 */
import type { RgbImage } from "../image/index.ts";

/** RGB -> f32 [3 factor², Y/factor, X/factor], written to `out`. */
export function foldPixels({ width, height, data }: RgbImage, factor: number, out: Float32Array): void {
  const [rows, columns] = [height / factor, width / factor];
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      for (let c = 0; c < 3; c++) {
        const channel = (c * factor + (y % factor)) * factor + (x % factor);
        const at = (channel * rows + Math.floor(y / factor)) * columns + Math.floor(x / factor);
        out[at] = data[(y * width + x) * 3 + c]! / 127.5 - 1;
      }
}

/** The inverse, clamped to 0..255. */
export function unfoldPixels(latents: Float32Array, size: number, factor: number): RgbImage {
  const data = new Uint8Array(size * size * 3);
  const side = size / factor;
  for (let y = 0; y < size; y++)
    for (let x = 0; x < size; x++)
      for (let c = 0; c < 3; c++) {
        const channel = (c * factor + (y % factor)) * factor + (x % factor);
        const value = latents[(channel * side + Math.floor(y / factor)) * side + Math.floor(x / factor)]!;
        data[(y * size + x) * 3 + c] = Math.max(0, Math.min(255, Math.round((value + 1) * 127.5)));
      }
  return { width: size, height: size, data };
}
