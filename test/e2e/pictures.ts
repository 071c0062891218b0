/** Picture files of every kind that a person may have, good and bad. */
import sharp, { type Sharp } from "sharp";
import { Rng } from "../../src/base/rng.ts";
import { encodePng, type RgbImage } from "../../src/image/index.ts";

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

function open({ width, height, data }: RgbImage): Sharp {
  return sharp(data, { raw: { width, height, channels: 3 } });
}

/** Unusual, but pictures all the same. */
export async function unusualPictures(): Promise<Record<string, Uint8Array>> {
  const image = open(blocks(1));
  const frames = [1, 2, 3].map((seed) => blocks(seed).data);
  const strip = { width: 48, height: 96, channels: 3, pageHeight: 32 } as const;
  return {
    "alpha.png": await image.clone().ensureAlpha(0.5).png().toBuffer(),
    "animated.webp": await sharp(Buffer.concat(frames), { raw: strip }).webp({ lossless: true }).toBuffer(),
    "cmyk.jpg": await image.clone().toColourspace("cmyk").jpeg().toBuffer(),
    "deep.png": await image.clone().toColourspace("rgb16").png().toBuffer(),
    "one.png": await encodePng({ width: 1, height: 1, data: Uint8Array.of(200, 100, 50) }),
  };
}

/** The same picture twice: as it is, and stored lying on its side with an EXIF note to turn it. */
export async function turnedPictures(): Promise<Record<"upright.png" | "turned.png", Uint8Array>> {
  const image = open(blocks(2));
  const lying = await image.clone().rotate(270).png().toBuffer();
  return {
    "upright.png": await image.clone().png().toBuffer(),
    "turned.png": await sharp(lying).withMetadata({ orientation: 6 }).png().toBuffer(),
  };
}

/** Files that are no pictures, with what the message about each must say. */
export async function badPictures(): Promise<Record<string, { bytes: Uint8Array; says: RegExp }>> {
  const png = await encodePng(blocks(3, 300, 200));
  const bomb = Uint8Array.from(await encodePng(blocks(3)));
  new DataView(bomb.buffer).setUint32(16, 60_000); // width and height of the header, whatever the checksum
  new DataView(bomb.buffer).setUint32(20, 60_000);
  return {
    "bomb.png": { bytes: bomb, says: /expected at most 100000000 pixels, got 60000x60000|damaged PNG picture/ },
    "cut.png": { bytes: png.subarray(0, png.length / 2), says: /damaged PNG picture/ },
    "empty.png": { bytes: new Uint8Array(), says: /got an empty file/ },
    "text.png": { bytes: Buffer.from("this is no picture\n"), says: /got a text file \("this is no picture/ },
  };
}
