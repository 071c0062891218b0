/** Picture files of every kind that a person may have, good and bad. */
import sharp, { type Sharp } from "sharp";
import { encodePng, type RgbImage } from "../../src/image/index.ts";
import { blocks } from "./blocks.ts";

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

/** Files that are not pictures, with what the message about each must say. */
export async function badPictures(): Promise<Record<string, { bytes: Uint8Array; says: RegExp }>> {
  const png = await encodePng(blocks(3, 300, 200));
  const bomb = Uint8Array.from(await encodePng(blocks(3)));
  new DataView(bomb.buffer).setUint32(16, 60_000); // width and height of the header, whatever the checksum
  new DataView(bomb.buffer).setUint32(20, 60_000);
  return {
    "bomb.png": { bytes: bomb, says: /expected at most 100000000 pixels, got 60000x60000|damaged PNG picture/ },
    "cut.png": { bytes: png.subarray(0, png.length / 2), says: /damaged PNG picture/ },
    "empty.png": { bytes: new Uint8Array(), says: /got an empty file/ },
    "text.png": { bytes: Buffer.from("this is not a picture\n"), says: /got a text file \("this is not a pictur/ },
  };
}
