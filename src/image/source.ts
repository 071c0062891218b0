/** Pictures as callers give them: pixels, bytes or paths. */
import { InputError } from "../base/errors.ts";
import { readFileBounded } from "../io/files.ts";
import { decodeImage, type ResizeFilter, type RgbImage } from "./index.ts";

/** A picture: pixels, the bytes of a picture file, or the path of one. */
export type ImageSource = RgbImage | Uint8Array | string;

export interface PrepareOptions {
  /** Name of the picture in messages. Default: its path, or "picture". */
  readonly where?: string;
  /** Called with one line when something is left out, such as the later frames of an animation. */
  readonly warn?: (message: string) => void;
  /**
   * How the picture is squashed. "bicubic" is what the models here were trained with, and what the official tokenizer does
   * with a picture file; "bilinear" is what the official inference scripts do, and the tools that made the codes from
   * which the published language models learned. Default "bicubic".
   */
  readonly filter?: ResizeFilter;
}

/** Largest picture file, bytes. */
const MAX_FILE = 256 * 1024 ** 2;

/** @throws InputError if the bytes are not a picture or the file is missing. */
export async function loadPicture(source: ImageSource, { where, warn }: PrepareOptions = {}): Promise<RgbImage> {
  const name = where ?? (typeof source === "string" ? source : "picture");
  const limits = warn ? { warn } : {};
  if (typeof source === "string") return decodeImage(await readFileBounded(source, MAX_FILE), name, limits);
  if (source instanceof Uint8Array) return decodeImage(source, name, limits);
  const { width, height, data } = source;
  if (data?.length === width * height * 3 && data.length > 0) return source;
  throw new InputError(`${name}: expected ${width * height * 3} bytes for ${width}x${height}, got ${data?.length}.`);
}
