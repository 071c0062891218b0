import { expect, test } from "vitest";
import type { RgbImage } from "../../image/index.ts";
import { nearestByPixels } from "./pixel-neighbors.ts";

const plain = (value: number, size = 32): RgbImage => ({
  width: size,
  height: size,
  data: new Uint8Array(size * size * 3).fill(value),
});

test("the nearest by pixels, whatever the size; the first of equals", () => {
  const gallery = [0, 200, 90, 90].map((value) => plain(value));
  expect(nearestByPixels([plain(80), plain(255, 64), plain(10, 16)], gallery)).toEqual([2, 1, 0]);
});
