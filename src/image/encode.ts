/** Pixels to PNG files. */

import sharp from "sharp";
import { UsageError } from "../base/errors.ts";
import { textChunk } from "./png-text.ts";
import type { RgbImage } from "./rgb-image.ts";

/**
 * A PNG of `image`; the same pixels and text give the same bytes.
 *
 * @param text notes kept inside the file (keyword -> value), such as the codes it was painted from
 */
export async function encodePng(image: RgbImage, text: Readonly<Record<string, string>> = {}): Promise<Uint8Array> {
  const { width, height, data } = image;
  if (data.length !== width * height * 3) {
    throw new UsageError(`encodePng: expected ${width * height * 3} bytes for ${width}x${height}, got ${data.length}.`);
  }
  const png = await sharp(data, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
  const notes = Object.entries(text).map(([keyword, value]) => textChunk(keyword, value));
  return Buffer.concat([png.subarray(0, AFTER_HEADER), ...notes, png.subarray(AFTER_HEADER)]);
}

/** Signature (8), then the IHDR chunk: length, type, 13 bytes of data, checksum. */
const AFTER_HEADER = 8 + 4 + 4 + 13 + 4;
