/**
 * What decoding and encoding pictures takes from the platform: sharp in Node (`codec-node.ts`), the browser's own decoders
 * elsewhere (`codec-web.ts`). Supported formats, limits and messages are shared.
 */
import type { RgbImage } from "./rgb-image.ts";

export type PictureKind = "PNG" | "JPEG" | "WebP" | "GIF" | "AVIF";

export interface Codec {
  /** Reads the header; nothing is decoded yet. @throws if it is damaged. */
  open(bytes: Uint8Array, kind: PictureKind): Promise<OpenedPicture>;
  /** A PNG file without notes. */
  encodePng(image: RgbImage): Promise<Uint8Array>;
}

export interface OpenedPicture {
  /** As stored, before EXIF turns it. */
  readonly width: number;
  readonly height: number;
  /** More than 1 for an animation. */
  readonly frames: number;
  /** The first frame: turned upright, brought to 8-bit sRGB, transparency laid on white. @throws if it is damaged. */
  decode(): Promise<RgbImage>;
}
