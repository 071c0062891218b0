/** JPEG compression and back. In Node only: evaluation disturbs pictures with it. */
import sharp from "sharp";
import type { RgbImage } from "./rgb-image.ts";

/** A picture after JPEG compression at this quality, 1 to 100. */
export async function throughJpeg({ width, height, data }: RgbImage, quality: number): Promise<RgbImage> {
  const file = await sharp(data, { raw: { width, height, channels: 3 } })
    .jpeg({ quality })
    .toBuffer();
  const pixels = await sharp(file).raw().toBuffer();
  return { width, height, data: new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.length) };
}
