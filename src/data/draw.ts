/** Backgrounds and sprites to pixels, RGB u8 [size,size,3]. */

import { item } from "../base/item.ts";
import type { Sprite } from "./atlas.ts";
import { CELL } from "./atlas.ts";
import { BACKGROUND_NAMES, BACKGROUNDS, type BackgroundName, type Rgb } from "./colors.ts";
import { resampleSquare } from "./resample.ts";

/** One color, or two that fade into each other from the left or from the top. */
export interface Background {
  readonly from: BackgroundName;
  readonly to: BackgroundName;
  readonly direction: "right" | "down";
}

export function drawBackground(pixels: Uint8ClampedArray, size: number, background: Background): void {
  const [from, to] = [BACKGROUNDS[background.from] as Rgb, BACKGROUNDS[background.to] as Rgb];
  const along = background.direction === "right" ? 3 : size * 3;
  const across = background.direction === "right" ? size * 3 : 3;
  for (let i = 0; i < size; i++) {
    const t = i / (size - 1);
    const r = from[0] + (to[0] - from[0]) * t;
    const g = from[1] + (to[1] - from[1]) * t;
    const b = from[2] + (to[2] - from[2]) * t;
    for (let j = 0, o = i * along; j < size; j++, o += across) {
      pixels[o] = r;
      pixels[o + 1] = g;
      pixels[o + 2] = b;
    }
  }
}

let scaled = new Uint8Array(0);

/**
 * Lays a sprite of `side` pixels over the picture, its top left corner at (left, top); what is outside is cut off.
 *
 * `pixels` is clamped because premultiplied rounding can reach 256, which a plain byte would wrap to black.
 */
export function drawSprite(
  pixels: Uint8ClampedArray,
  size: number,
  sprite: Sprite,
  { left, top, side, flip }: { left: number; top: number; side: number; flip: boolean },
): void {
  if (scaled.length < side * side * 4) scaled = new Uint8Array(side * side * 4);
  const small = side <= CELL / 2;
  resampleSquare(small ? sprite.half : sprite.pixels, small ? CELL / 2 : CELL, side, scaled, flip);
  for (let y = Math.max(0, -top); y < side && top + y < size; y++) {
    for (let x = Math.max(0, -left); x < side && left + x < size; x++) {
      const s = (y * side + x) * 4;
      const alpha = scaled[s + 3]!;
      if (alpha === 0) continue;
      const d = ((top + y) * size + left + x) * 3;
      const rest = 1 - alpha / 255;
      pixels[d] = scaled[s]! + pixels[d]! * rest;
      pixels[d + 1] = scaled[s + 1]! + pixels[d + 1]! * rest;
      pixels[d + 2] = scaled[s + 2]! + pixels[d + 2]! * rest;
    }
  }
}

/** Pixels this near to the background (Euclidean, RGB) hardly show. */
const NEAR = 64;
const shares = new WeakMap<Sprite, readonly number[]>();

/** The share (0 to 1) of a sprite that would hardly show on the background; on a fading one, at its worse end. */
export function hiddenShare(sprite: Sprite, { from, to }: Background): number {
  let known = shares.get(sprite);
  if (!known) {
    known = BACKGROUND_NAMES.map((name) => nearShare(sprite.half, BACKGROUNDS[name]));
    shares.set(sprite, known);
  }
  return Math.max(item(known, BACKGROUND_NAMES.indexOf(from)), item(known, BACKGROUND_NAMES.indexOf(to)));
}

function nearShare(pixels: Uint8Array, [r, g, b]: Rgb): number {
  let [near, opaque] = [0, 0];
  for (let i = 0; i < pixels.length; i += 4) {
    if (pixels[i + 3]! < 250) continue;
    opaque++;
    if ((pixels[i]! - r) ** 2 + (pixels[i + 1]! - g) ** 2 + (pixels[i + 2]! - b) ** 2 < NEAR ** 2) near++;
  }
  return opaque ? near / opaque : 0;
}
