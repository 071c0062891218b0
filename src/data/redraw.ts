/**
 * A sprite redrawn: turned, stretched, in other colors, with dark lines. Seven styles are few: a model that has seen
 * no others mistakes a style's palette and outlines for the object itself.
 */

import type { Rng } from "../base/rng.ts";
import { CELL, type Sprite } from "./atlas.ts";
import { alphaBox } from "./resample.ts";

const HALF = CELL / 2;
/** How often each change is made; a sprite may get several, or none of them and only be turned. */
const RECOLOR = 0.5;
const INK = 0.4;
const TURN = (20 * Math.PI) / 180;

const between = (rng: Rng, low: number, high: number): number => low + (high - low) * rng.next();

/** The same object in another drawing. A recolored one has no color name, as that of the original no longer fits. */
export function redraw(sprite: Sprite, rng: Rng): Sprite {
  const pixels = turn(sprite.pixels, between(rng, -TURN, TURN), between(rng, 0.8, 1.25));
  const recolored = rng.next() < RECOLOR;
  if (recolored) recolor(pixels, rng);
  if (rng.next() < INK) ink(pixels, 1 + rng.int(3), between(rng, 0.6, 1));
  const box = alphaBox({ width: CELL, height: CELL, data: pixels }) ?? sprite.box;
  return { ...sprite, pixels, half: halve(pixels), box, color: recolored ? undefined : sprite.color };
}

/** Turned about its center by `angle` and made `aspect` times as wide as high, shrunk until the square holds it. */
function turn(source: Uint8Array, angle: number, aspect: number): Uint8Array {
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const stretch = Math.sqrt(aspect);
  // Half of the full growth of a turned square: drawings seldom fill their corners.
  const scale = Math.max(stretch, 1 / stretch) * (1 + (Math.abs(sin) + cos - 1) / 2);
  const [ax, ay] = [(cos * scale) / stretch, (sin * scale) / stretch];
  const [bx, by] = [-sin * scale * stretch, cos * scale * stretch];
  const out = new Uint8Array(CELL * CELL * 4);
  const middle = (CELL - 1) / 2;
  for (let y = 0, o = 0; y < CELL; y++) {
    for (let x = 0; x < CELL; x++, o += 4) {
      const sx = middle + ax * (x - middle) + ay * (y - middle);
      const sy = middle + bx * (x - middle) + by * (y - middle);
      const [left, top] = [Math.floor(sx), Math.floor(sy)];
      if (left < 0 || top < 0 || left >= CELL - 1 || top >= CELL - 1) continue;
      const [fx, fy] = [sx - left, sy - top];
      const i = (top * CELL + left) * 4;
      const below = i + CELL * 4;
      for (let c = 0; c < 4; c++) {
        const upper = source[i + c]! * (1 - fx) + source[i + 4 + c]! * fx;
        const lower = source[below + c]! * (1 - fx) + source[below + 4 + c]! * fx;
        out[o + c] = upper * (1 - fy) + lower * fy + 0.5;
      }
    }
  }
  return out;
}

/** Turns all hues by one angle and changes saturation and contrast. Premultiplied pixels stay premultiplied. */
function recolor(pixels: Uint8Array, rng: Rng): void {
  const hue = between(rng, 0, 2 * Math.PI);
  const saturation = between(rng, 0.2, 1.3);
  const contrast = between(rng, 0.7, 1.2);
  const shift = between(rng, -0.1, 0.25) * (1 - Math.min(contrast, 1)) + (1 - contrast) * 0.4;
  // Rotation about the gray axis (Rodrigues), scaled away from it.
  const [cos, sin] = [Math.cos(hue) * saturation, (Math.sin(hue) * saturation) / Math.sqrt(3)];
  for (let i = 0; i < pixels.length; i += 4) {
    const alpha = pixels[i + 3]!;
    if (alpha === 0) continue;
    const [r, g, b] = [pixels[i]!, pixels[i + 1]!, pixels[i + 2]!];
    const gray = (r + g + b) / 3;
    const base = gray * contrast + shift * alpha;
    const put = (c: number, own: number, before: number, after: number): void => {
      const value = base + contrast * ((own - gray) * cos + (after - before) * sin);
      pixels[i + c] = Math.min(Math.max(value + 0.5, 0), alpha);
    };
    put(0, r, g, b);
    put(1, g, b, r);
    put(2, b, r, g);
  }
}

/** Dark lines around the drawing, `width` pixels inward, and where its own colors meet. */
function ink(pixels: Uint8Array, width: number, strength: number): void {
  const edge = new Float32Array(CELL * CELL);
  for (let y = 0; y < CELL; y++) {
    for (let x = 0; x < CELL; x++) {
      const i = (y * CELL + x) * 4;
      if (pixels[i + 3]! === 0) continue;
      const right = x + width < CELL ? i + width * 4 : -1;
      const down = y + width < CELL ? i + width * CELL * 4 : -1;
      const left = x - width >= 0 ? i - width * 4 : -1;
      const up = y - width >= 0 ? i - width * CELL * 4 : -1;
      let most = 0;
      for (const other of [right, down, left, up]) {
        const found = other < 0 ? 255 : difference(pixels, i, other);
        if (found > most) most = found;
      }
      edge[y * CELL + x] = Math.min(Math.max((most - 24) / 48, 0), 1);
    }
  }
  for (let k = 0, i = 0; k < edge.length; k++, i += 4) {
    const keep = 1 - strength * edge[k]!;
    for (let c = 0; c < 3; c++) pixels[i + c] = pixels[i + c]! * keep;
  }
}

/** How much two pixels differ, 0 to 255: in color by half, and in how much less opaque the second is. */
function difference(pixels: Uint8Array, i: number, other: number): number {
  let most = pixels[i + 3]! - pixels[other + 3]!;
  for (let c = 0; c < 3; c++) most = Math.max(most, Math.abs(pixels[i + c]! - pixels[other + c]!) / 2);
  return most;
}

/** Means of 2 x 2: u8 [96,96,4] -> u8 [48,48,4] */
function halve(pixels: Uint8Array): Uint8Array {
  const out = new Uint8Array(HALF * HALF * 4);
  const row = CELL * 4;
  for (let y = 0, o = 0; y < HALF; y++) {
    for (let x = 0; x < HALF; x++) {
      const i = 2 * (y * row + x * 4);
      for (let c = 0; c < 4; c++, o++) {
        out[o] = (pixels[i + c]! + pixels[i + 4 + c]! + pixels[i + row + c]! + pixels[i + row + 4 + c]! + 2) >> 2;
      }
    }
  }
  return out;
}
