import { expect, test } from "vitest";
import type { Sprite } from "./atlas.ts";
import { nameColor } from "./colors.ts";
import { drawBackground, drawSprite, hiddenShare } from "./draw.ts";
import { alphaBox, cutSquare, resampleSquare } from "./resample.ts";

/** A sprite of one premultiplied color. */
function flatSprite(rgba: readonly [number, number, number, number]): Sprite {
  const fill = (side: number) => Uint8Array.from({ length: side * side * 4 }, (_, i) => rgba[i % 4]!);
  const box = [0, 0, 96, 96] as const;
  return { noun: "dog", style: "noto", icon: "x", pixels: fill(96), half: fill(48), box, color: undefined };
}

test("blending is clamped: light edges on white stay white instead of wrapping to black", () => {
  const canvas = new Uint8ClampedArray(4 * 4 * 3).fill(255);
  // Premultiplied rounding may leave a color above its alpha: 129 + 255 * (1 - 128 / 255) = 256.
  drawSprite(canvas, 4, flatSprite([129, 129, 129, 128]), { left: 0, top: 0, side: 4, flip: false });
  expect([...canvas]).toEqual(Array(48).fill(255));
});

test("a sprite that stands over the edge is cut off there", () => {
  const canvas = new Uint8ClampedArray(4 * 4 * 3);
  drawSprite(canvas, 4, flatSprite([255, 255, 255, 255]), { left: -2, top: 3, side: 4, flip: false });
  const red = Array.from({ length: 16 }, (_, i) => canvas[i * 3]);
  expect(red).toEqual([...Array(12).fill(0), 255, 255, 0, 0]);
});

test("a fading background goes from its first to its last color in its direction", () => {
  const canvas = new Uint8ClampedArray(3 * 3 * 3);
  drawBackground(canvas, 3, { from: "white", to: "black", direction: "right" });
  const red = Array.from({ length: 9 }, (_, i) => canvas[i * 3]);
  expect(red).toEqual([255, 140, 24, 255, 140, 24, 255, 140, 24]);
});

test("a sprite of the background's color is hidden, on a fading one too", () => {
  const sprite = flatSprite([222, 56, 58, 255]);
  expect(hiddenShare(sprite, { from: "red", to: "red", direction: "down" })).toBe(1);
  expect(hiddenShare(sprite, { from: "white", to: "red", direction: "down" })).toBe(1);
  expect(hiddenShare(sprite, { from: "white", to: "blue", direction: "down" })).toBe(0);
});

test("resampling averages areas, and mirrors", () => {
  const rows = [0, 100, 200, 40].map((v) => [v, v, v, 255]);
  const picture = Uint8Array.from(Array(4).fill(rows).flat(2));
  const out = new Uint8Array(2 * 2 * 4);
  resampleSquare(picture, 4, 2, out);
  expect([...out.subarray(0, 8)]).toEqual([50, 50, 50, 255, 120, 120, 120, 255]);
  resampleSquare(picture, 4, 2, out, true);
  expect([...out.subarray(0, 8)]).toEqual([120, 120, 120, 255, 50, 50, 50, 255]);
});

test.each([
  [96, 37],
  [48, 20],
  [48, 48],
  [96, 123],
])("a plain color stays itself from %i to %i pixels", (from, to) => {
  const picture = Uint8Array.from({ length: from * from * 4 }, (_, i) => [10, 128, 250, 255][i % 4]!);
  const out = new Uint8Array(to * to * 4);
  resampleSquare(picture, from, to, out);
  expect(new Set(out)).toEqual(new Set([10, 128, 250, 255]));
});

test("a cut-out is centered, and the color of transparent pixels is forgotten", () => {
  const data = new Uint8Array(4 * 3 * 4).fill(99);
  for (let i = 3; i < data.length; i += 4) data[i] = 0;
  for (const at of [4, 8]) data.set([200, 100, 50, 255], at * 4 + 4);
  const image = { width: 4, height: 3, data };
  const box = alphaBox(image);
  expect(box).toEqual([1, 1, 1, 2]);
  const { side, data: square } = cutSquare(image, box!);
  expect(side).toBe(2);
  expect([...square]).toEqual([200, 100, 50, 255, 0, 0, 0, 0, 200, 100, 50, 255, 0, 0, 0, 0]);
  expect(alphaBox({ width: 1, height: 1, data: new Uint8Array(4) })).toBeUndefined();
});

test("gold is called neither orange nor yellow, turquoise neither green nor blue", () => {
  expect(nameColor([230, 170, 40])).toBeUndefined();
  expect(nameColor([40, 200, 190])).toBeUndefined();
  expect(nameColor([255, 130, 20])).toBe("orange");
  expect(nameColor([255, 225, 70])).toBe("yellow");
  expect(nameColor([120, 70, 40])).toBe("brown");
  expect(nameColor([210, 30, 40])).toBe("red");
  expect(nameColor([20, 20, 25])).toBe("black");
  expect(nameColor([252, 252, 252])).toBe("white");
});
