/** Naming single sprites: the pictures, their captions, and the floor that a model has to beat. */

import { UsageError } from "../base/errors.ts";
import type { Atlas, Sprite } from "./atlas.ts";
import { drawSprite } from "./draw.ts";
import { STYLES, type Style } from "./nouns.ts";
import { onePhrase } from "./phrases.ts";
import { resampleSquare } from "./resample.ts";

export interface SpritePicture {
  readonly noun: string;
  readonly style: Style;
  readonly icon: string;
  /** "an apple", "a pair of scissors". */
  readonly caption: string;
  readonly size: number;
  /** RGB, u8 [size,size,3]. */
  readonly pixels: Uint8Array;
}

/** One sprite in the middle of a white picture, its longer side `fill` of the picture's side. */
export function singleSprite(sprite: Sprite, size = 64, fill = 0.8): SpritePicture {
  const canvas = new Uint8ClampedArray(size * size * 3).fill(255);
  const side = Math.round(size * fill);
  const corner = Math.round((size - side) / 2);
  drawSprite(canvas, size, sprite, { left: corner, top: corner, side, flip: false });
  const { noun, style, icon } = sprite;
  return { noun, style, icon, caption: onePhrase(noun), size, pixels: new Uint8Array(canvas.buffer) };
}

/** The sprites of some nouns in one style, in the order of the nouns. @throws UsageError if a style is unknown. */
export function spritesOf(atlas: Atlas, nouns: readonly string[], style: Style): Sprite[] {
  if (!STYLES.includes(style))
    throw new UsageError(`spritesOf: expected a style of ${STYLES.join(", ")}, got ${style}.`);
  return nouns.flatMap((noun) => atlas.sprites.filter((sprite) => sprite.noun === noun && sprite.style === style));
}

/**
 * The floor of the naming test: each picture is given the noun of the nearest gallery sprite, by the squared distance
 * of 16x16 pixels on white. Top 5 counts distinct nouns.
 *
 * @returns top1 and top5 from 0 to 1
 */
export function pixelNearestNeighbor(
  gallery: readonly Sprite[],
  pictures: readonly Sprite[],
): { pictures: number; top1: number; top5: number } {
  const known = gallery.map((sprite) => ({ noun: sprite.noun, thumb: thumbnail(sprite) }));
  let [top1, top5] = [0, 0];
  for (const picture of pictures) {
    const wanted = thumbnail(picture);
    const order = known.map(({ noun, thumb }) => ({ noun, distance: squaredDistance(thumb, wanted) }));
    order.sort((a, b) => a.distance - b.distance);
    const nouns = [...new Set(order.map((entry) => entry.noun))].slice(0, 5);
    if (nouns[0] === picture.noun) top1++;
    if (nouns.includes(picture.noun)) top5++;
  }
  const n = Math.max(pictures.length, 1);
  return { pictures: pictures.length, top1: top1 / n, top5: top5 / n };
}

const THUMB = 16;

/** f32 [16*16*3], on white. */
function thumbnail(sprite: Sprite): Float32Array {
  const small = new Uint8Array(THUMB * THUMB * 4);
  resampleSquare(sprite.half, 48, THUMB, small);
  const out = new Float32Array(THUMB * THUMB * 3);
  for (let i = 0, o = 0; i < small.length; i += 4, o += 3) {
    for (let c = 0; c < 3; c++) out[o + c] = small[i + c]! + 255 - small[i + 3]!;
  }
  return out;
}

function squaredDistance(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i]! - b[i]!) ** 2;
  return sum;
}
