/** Size and number of frames of a picture file, by its header alone, so that limits are checked before anything is decoded. */
import { dataView, fromLatin1, startsWith, utf8 } from "../base/bytes.ts";
import type { PictureKind } from "./codec.ts";

export interface PictureHeader {
  /** The largest that any frame claims. */
  readonly width: number;
  readonly height: number;
  readonly frames: number;
}

/** @throws if the bytes end before the size, or it is 0. */
export function readHeader(bytes: Uint8Array, kind: PictureKind): PictureHeader {
  const found = READERS[kind](bytes, dataView(bytes));
  if (found && found.width > 0 && found.height > 0) return found;
  throw new Error("its size is missing");
}

type Reader = (bytes: Uint8Array, view: DataView) => PictureHeader | undefined;

const READERS: Readonly<Record<PictureKind, Reader>> = { PNG: png, JPEG: jpeg, GIF: gif, WebP: webp, AVIF: avif };

/** IHDR comes first. PNG specification, 11.2.2. */
function png(bytes: Uint8Array, view: DataView): PictureHeader | undefined {
  if (bytes.length < 24) return undefined;
  return { width: view.getUint32(16), height: view.getUint32(20), frames: 1 };
}

/** The first frame header (SOF) among the segments. ITU-T T.81, B.2. */
function jpeg(bytes: Uint8Array, view: DataView): PictureHeader | undefined {
  for (let at = 2; at + 9 <= bytes.length; ) {
    if (bytes[at] !== 0xff) return undefined;
    const marker = view.getUint8(at + 1);
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (isFrame) return { width: view.getUint16(at + 7), height: view.getUint16(at + 5), frames: 1 };
    const isAlone = marker === 0xff || marker === 0x01 || (marker >= 0xd0 && marker <= 0xd7);
    at += marker === 0xff ? 1 : isAlone ? 2 : 2 + view.getUint16(at + 2);
  }
  return undefined;
}

/** The logical screen, and every image descriptor. GIF89a, 18 and 20. */
function gif(bytes: Uint8Array, view: DataView): PictureHeader | undefined {
  if (bytes.length < 13) return undefined;
  const tableBytes = (flags: number): number => (flags & 0x80 ? 3 << ((flags & 7) + 1) : 0);
  const afterBlocks = (at: number): number => {
    let end = at;
    while (end < bytes.length && bytes[end] !== 0) end += 1 + view.getUint8(end);
    return end + 1;
  };
  let [width, height, frames] = [view.getUint16(6, true), view.getUint16(8, true), 0];
  for (let at = 13 + tableBytes(view.getUint8(10)); at + 10 <= bytes.length; ) {
    if (bytes[at] === 0x21) at = afterBlocks(at + 2);
    else if (bytes[at] === 0x2c) {
      width = Math.max(width, view.getUint16(at + 5, true));
      height = Math.max(height, view.getUint16(at + 7, true));
      frames++;
      at = afterBlocks(at + 10 + tableBytes(view.getUint8(at + 9)) + 1);
    } else break;
  }
  return { width, height, frames: Math.max(1, frames) };
}

/** VP8X, VP8L or VP8 chunk; each frame of an animation is an ANMF. RFC 9649. */
function webp(bytes: Uint8Array, view: DataView): PictureHeader | undefined {
  const u24 = (at: number): number => view.getUint16(at, true) | (view.getUint8(at + 2) << 16);
  let size: { width: number; height: number } | undefined;
  let frames = 0;
  for (let at = 12; at + 8 <= bytes.length; ) {
    const type = fromLatin1(bytes.subarray(at, at + 4));
    const body = at + 8;
    if (body + 10 <= bytes.length) {
      if (type === "VP8X") size = { width: u24(body + 4) + 1, height: u24(body + 7) + 1 };
      if (type === "VP8L" && !size) {
        const bits = view.getUint32(body + 1, true);
        size = { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 };
      }
      if (type === "VP8 " && !size)
        size = { width: view.getUint16(body + 6, true) & 0x3fff, height: view.getUint16(body + 8, true) & 0x3fff };
      if (type === "ANMF") frames++;
    }
    const length = view.getUint32(at + 4, true);
    at = body + length + (length % 2);
  }
  return size && { ...size, frames: Math.max(1, frames) };
}

/** The largest "ispe" property: of the picture, or of its tiles and the grid that they make. ISO/IEC 23008-12, 6.5.3. */
function avif(bytes: Uint8Array, view: DataView): PictureHeader | undefined {
  const name = utf8("ispe");
  let [width, height] = [0, 0];
  for (let at = bytes.indexOf(0x69); at >= 0 && at + 16 <= bytes.length; at = bytes.indexOf(0x69, at + 1)) {
    if (!startsWith(bytes.subarray(at, at + 4), name)) continue;
    // A box of 20 bytes, version and flags 0; the same letters may occur in pixels.
    if (at < 4 || view.getUint32(at - 4) !== 20 || view.getUint32(at + 4) !== 0) continue;
    width = Math.max(width, view.getUint32(at + 8));
    height = Math.max(height, view.getUint32(at + 12));
  }
  return { width, height, frames: 1 };
}
