/** Picture files to pixels. What a file claims is checked before anything is decoded. */
import { codec } from "#codec";
import { fromLatin1 } from "../base/bytes.ts";
import { InputError } from "../base/errors.ts";
import { quote, reason } from "../base/one-line.ts";
import type { PictureKind } from "./codec.ts";
import type { RgbImage } from "./rgb-image.ts";

export interface DecodeOptions {
  /** Pictures with more pixels are refused by their header. Default 100 million. */
  maxPixels?: number;
  /** Larger files are refused. Default 256 MiB. */
  maxBytes?: number;
  /** Receives one line when something is left out, such as the later frames of an animation. */
  warn?: (message: string) => void;
}

/**
 * Decodes PNG, JPEG, WebP, GIF or AVIF: the first frame, turned upright by EXIF, brought to 8-bit sRGB
 * (color profiles and CMYK are converted), transparency laid on white.
 *
 * @param where what messages call the picture, usually its path
 * @throws InputError if the bytes are another kind of file, are damaged or cut short, or exceed a limit.
 */
export async function decodeImage(bytes: Uint8Array, where: string, options: DecodeOptions = {}): Promise<RgbImage> {
  const { maxPixels = 100e6, maxBytes = MAX_PICTURE_BYTES, warn } = options;
  if (bytes.length > maxBytes) {
    throw new InputError(
      `${where}: expected at most ${maxBytes} bytes, got ${bytes.length}. Make the picture smaller.`,
    );
  }
  const kind = fileKind(bytes);
  if (!isDecodable(kind)) {
    throw new InputError(`${where}: expected a PNG, JPEG, WebP, GIF or AVIF picture, got ${kind}. Convert it first.`);
  }
  try {
    const { width, height, frames, decode } = await codec.open(bytes, kind);
    if (width * height > maxPixels) {
      throw new InputError(`${where}: expected at most ${maxPixels} pixels, got ${width}x${height}. Shrink it first.`);
    }
    if (frames > 1) warn?.(`${where}: an animation of ${frames} frames; only the first is used.`);
    return await decode();
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new InputError(`${where}: damaged ${kind} picture (${reason(error)}). Save or download it again.`, {
      cause: error,
    });
  }
}

const DECODABLE: ReadonlySet<string> = new Set<PictureKind>(["PNG", "JPEG", "WebP", "GIF", "AVIF"]);

function isDecodable(kind: string): kind is PictureKind {
  return DECODABLE.has(kind);
}

/** Names under which such files are looked for in folders and archives. */
export const PICTURE_NAME = /\.(png|jpe?g|webp|gif|avif)$/i;
/** Largest picture file that is read, bytes. */
export const MAX_PICTURE_BYTES = 256 * 1024 ** 2;

/** Names the kind of a file by its first bytes; the file's name is never trusted. */
function fileKind(bytes: Uint8Array): string {
  if (bytes.length === 0) return "an empty file";
  const head = fromLatin1(bytes.subarray(0, 64));
  if (head.startsWith("\x89PNG\r\n\x1a\n")) return "PNG";
  if (head.startsWith("\xff\xd8\xff")) return "JPEG";
  if (head.startsWith("RIFF") && head.slice(8, 12) === "WEBP") return "WebP";
  if (/^GIF8[79]a/.test(head)) return "GIF";
  if (head.slice(4, 8) === "ftyp") return /avif|avis/.test(head.slice(8, 48)) ? "AVIF" : "a HEIC picture or a video";
  if (head.startsWith("%PDF")) return "a PDF";
  if (head.startsWith("II*\0") || head.startsWith("MM\0*")) return "a TIFF picture";
  if (head.startsWith("BM")) return "a BMP picture";
  if (/^(\xef\xbb\xbf)?\s*<(\?xml|!doctype svg|!--|svg)/i.test(head)) return "an SVG or XML file";
  const printable = [...head].every((c) => c >= " " || "\t\r\n".includes(c));
  return printable ? `a text file (${quote(head, 20)})` : "an unknown kind of file";
}
