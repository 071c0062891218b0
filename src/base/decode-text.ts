/** Text files that people write: UTF-8, or UTF-16 as Windows saves it; anything else is refused rather than guessed. */

import { InputError } from "./errors.ts";

/**
 * The text of a file, without its byte order mark.
 * @throws InputError if the bytes are neither UTF-8 nor UTF-16 with a byte order mark, or hold zero bytes or U+FFFD.
 */
export function decodeText(bytes: Uint8Array, where: string): string {
  const encoding = encodingOf(bytes);
  let text: string;
  try {
    text = new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch {
    const expected = encoding === "utf-8" ? "UTF-8 text" : `whole ${encoding.toUpperCase()} text`;
    throw new InputError(`${where}: expected ${expected}, got other bytes. Save it as UTF-8.`);
  }
  if (text.includes("\0")) throw new InputError(`${where}: expected text, got zero bytes. Save it as UTF-8.`);
  if (text.includes("\uFFFD"))
    throw new InputError(
      `${where}: expected whole text, got replacement characters (U+FFFD). Save the original as UTF-8.`,
    );
  return text;
}

/** By the byte order mark. */
function encodingOf([first, second]: Uint8Array): "utf-8" | "utf-16le" | "utf-16be" {
  if (first === 0xff && second === 0xfe) return "utf-16le";
  return first === 0xfe && second === 0xff ? "utf-16be" : "utf-8";
}
