/** Pixels to PNG files. */

import sharp from "sharp";
import { UsageError } from "../errors.ts";
import { quote } from "../one-line.ts";
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

/** A `tEXt` chunk, or `iTXt` (UTF-8, not compressed) if the value does not fit in Latin-1. PNG specification, 11.3.4. */
function textChunk(keyword: string, value: string): Buffer {
  if (!/^[\x21-\x7e\xa1-\xff]([\x20-\x7e\xa1-\xff]{0,77}[\x21-\x7e\xa1-\xff])?$/.test(keyword)) {
    throw new UsageError(`PNG text: expected a keyword of 1 to 79 Latin-1 characters, got ${quote(keyword)}.`);
  }
  if (value.includes("\0")) throw new UsageError(`PNG text ${quote(keyword)}: a value cannot hold a zero character.`);
  const key = Buffer.from(`${keyword}\0`, "latin1");
  const latin1 = Buffer.from(value, "latin1");
  return latin1.toString("latin1") === value
    ? chunk("tEXt", Buffer.concat([key, latin1]))
    : chunk("iTXt", Buffer.concat([key, Buffer.alloc(4), Buffer.from(value, "utf8")]));
}

function chunk(type: string, data: Buffer): Buffer {
  const bytes = Buffer.alloc(data.length + 12);
  bytes.writeUInt32BE(data.length, 0);
  bytes.write(type, 4, "latin1");
  bytes.set(data, 8);
  bytes.writeUInt32BE(crc32(bytes.subarray(4, data.length + 8)), data.length + 8);
  return bytes;
}

/** PNG's checksum, bit by bit: `zlib.crc32` is missing from early Node 20, and notes are short. */
function crc32(bytes: Uint8Array): number {
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}
