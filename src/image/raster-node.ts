/** Drawings and pictures with transparency to pixels, and SVG to opaque pictures. In Node only: src/data draws with it. */

import sharp from "sharp";
import { InputError } from "../base/errors.ts";
import { reason } from "../base/one-line.ts";
import type { RgbImage } from "./rgb-image.ts";

/** data: u8 [height,width,4], straight (not premultiplied) alpha. */
export interface RgbaImage {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/**
 * Draws an SVG, or decodes any picture with its transparency, at most `size` pixels wide and high.
 *
 * @param where what messages call the drawing
 * @throws InputError if it cannot be drawn.
 */
export async function rasterize(bytes: Uint8Array, size: number, where: string): Promise<RgbaImage> {
  try {
    const { data, info } = await sharp(bytes)
      .resize(size, size, { fit: "inside", kernel: "lanczos3" })
      .toColourspace("srgb")
      .ensureAlpha()
      .raw({ depth: "uchar" })
      .toBuffer({ resolveWithObject: true });
    return { width: info.width, height: info.height, data };
  } catch (cause) {
    throw new InputError(`${where}: cannot be drawn (${reason(cause)}). Reinstall the icon sets.`, { cause });
  }
}

/** Draws an SVG on white in its own size. Text is set in a font of the machine. */
export async function drawSvg(svg: string): Promise<RgbImage> {
  const { data, info } = await sharp(Buffer.from(svg))
    .flatten({ background: "#fff" })
    .toColourspace("srgb")
    .removeAlpha()
    .raw({ depth: "uchar" })
    .toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, data };
}
