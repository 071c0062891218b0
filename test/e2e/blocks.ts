/** Pictures made of numbers alone, the same wherever they are made. */
import { Rng } from "../../src/base/rng.ts";
import type { RgbImage } from "../../src/image/index.ts";

/** Coarse blocks of random color: JPEG and WebP keep them nearly as they are. */
export function blocks(seed: number, width = 48, height = 32): RgbImage {
  const rng = new Rng(seed);
  const colors = Array.from({ length: 6 * 4 }, () => [rng.int(256), rng.int(256), rng.int(256)]);
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      data.set(colors[Math.floor((y * 4) / height) * 6 + Math.floor((x * 6) / width)]!, (y * width + x) * 3);
  return { width, height, data };
}
