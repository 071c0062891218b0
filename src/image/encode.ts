/** Pixels to PNG files. */
import { codec } from "#codec";
import { UsageError } from "../base/errors.ts";
import { addPngText } from "./png-text.ts";
import type { RgbImage } from "./rgb-image.ts";

/**
 * A PNG of `image`; the same pixels and text give the same bytes.
 *
 * @param text notes kept inside the file (keyword -> value), such as the codes it was decoded from
 */
export async function encodePng(image: RgbImage, text: Readonly<Record<string, string>> = {}): Promise<Uint8Array> {
  const { width, height, data } = image;
  if (data.length !== width * height * 3) {
    throw new UsageError(`encodePng: expected ${width * height * 3} bytes for ${width}x${height}, got ${data.length}.`);
  }
  return addPngText(await codec.encodePng(image), text);
}
