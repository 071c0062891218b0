/**
 * The 32 codes of a picture, outside of tensors: checked, as text, as JSON lines, and packed.
 *
 * Text: one picture a line, codes separated by white space. JSON: one object a line, `{"image": "...", "codes": [...]}`.
 * Packed: 13 bits a code, 52 bytes a picture, no header; the first code comes first and each code's highest bit comes
 * first, filling every byte from its highest bit (32 x 13 = 416 bits, so nothing is left over).
 */

import { InputError } from "../base/errors.ts";
import { reason, show } from "../base/one-line.ts";

/** Codes of one picture, in causal order. */
export const CODES_PER_IMAGE = 32;
/** Bits of a packed code, whatever the size of the codebook. */
export const BITS_PER_CODE = 13;
/** Bytes of a packed picture. */
export const PACKED_BYTES = (CODES_PER_IMAGE * BITS_PER_CODE) / 8;
/** Largest codebook, which is that of the published SEED. */
export const MAX_CODES = 2 ** BITS_PER_CODE;

export type Codes = readonly number[];

/**
 * Exactly 32 whole numbers in [0, size), as they came.
 * @param size entries of the codebook
 * @param count of a model with another number of codes
 * @throws InputError that names the first wrong code and its position, counted from 0.
 */
export function checkCodes(codes: unknown, where: string, size = MAX_CODES, count = CODES_PER_IMAGE): Codes {
  if (!isList(codes)) throw new InputError(`${where}: expected a list of ${count} codes, got ${show(codes)}.`);
  if (codes.length !== count) {
    throw new InputError(`${where}: expected ${count} codes, got ${codes.length}.`);
  }
  for (const [position, code] of codes.entries()) {
    if (!Number.isInteger(code)) {
      throw new InputError(`${where}: code ${show(code)} at position ${position} is not a whole number.`);
    }
    if (code < 0 || code >= size) {
      throw new InputError(`${where}: code ${code} at position ${position} is outside 0..${size - 1}.`);
    }
  }
  return codes;
}

/** `12 907 ...`, without a line end. */
export function formatCodes(codes: Codes): string {
  return codes.join(" ");
}

/** One line of text -> codes. @throws InputError */
export function parseCodes(line: string, where: string, size = MAX_CODES): Codes {
  const words = line.split(/[\s,]+/).filter((word) => word !== "");
  return checkCodes(
    words.map((word) => (/^-?\d{1,15}$/.test(word) ? Number(word) : word)),
    where,
    size,
  );
}

export interface ImageCodes {
  /** Where the codes came from, usually a path; absent in plain text. */
  readonly image?: string;
  readonly codes: Codes;
}

/** `{"image":"cat.png","codes":[...]}`, without a line end. */
export function formatCodesJson({ image, codes }: ImageCodes): string {
  return JSON.stringify(image === undefined ? { codes } : { image, codes });
}

/** One JSON line -> codes; other keys are passed over. @throws InputError */
export function parseCodesJson(line: string, where: string, size = MAX_CODES): ImageCodes {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    throw new InputError(`${where}: expected a line of JSON (${reason(error)}).`, { cause: error });
  }
  const { image, codes } = (Array.isArray(value) ? { codes: value } : (value ?? {})) as Record<string, unknown>;
  const checked = checkCodes(codes, where, size);
  return typeof image === "string" ? { image, codes: checked } : { codes: checked };
}

/** Codes of n pictures -> 52 n bytes. */
export function packCodes(images: readonly Codes[]): Uint8Array {
  const bytes = new Uint8Array(images.length * PACKED_BYTES);
  let bit = 0;
  for (const [i, codes] of images.entries()) {
    for (const code of checkCodes(codes, `picture ${i}`)) {
      // Three bytes hold any 13 bits, wherever they start in the first.
      const shifted = code << (24 - BITS_PER_CODE - (bit & 7));
      const at = bit >> 3;
      bytes[at]! |= shifted >> 16;
      bytes[at + 1]! |= shifted >> 8;
      if (at + 2 < bytes.length) bytes[at + 2]! |= shifted;
      bit += BITS_PER_CODE;
    }
  }
  return bytes;
}

/** 52 n bytes -> codes of n pictures. @throws InputError for another length or a code outside the codebook. */
export function unpackCodes(bytes: Uint8Array, where: string, size = MAX_CODES): Codes[] {
  if (bytes.length === 0 || bytes.length % PACKED_BYTES !== 0) {
    throw new InputError(
      `${where}: expected a whole number of pictures of ${PACKED_BYTES} bytes, got ${bytes.length} bytes. Is the file cut short?`,
    );
  }
  const images: Codes[] = [];
  let bit = 0;
  for (let i = 0; i < bytes.length / PACKED_BYTES; i++) {
    const codes = Array.from({ length: CODES_PER_IMAGE }, () => {
      const at = bit >> 3;
      const window = (bytes[at]! << 16) | (bytes[at + 1]! << 8) | (bytes[at + 2] ?? 0);
      const code = (window >> (24 - BITS_PER_CODE - (bit & 7))) & (MAX_CODES - 1);
      bit += BITS_PER_CODE;
      return code;
    });
    images.push(checkCodes(codes, `${where} picture ${i}`, size));
  }
  return images;
}

/**
 * A whole file of text or JSON lines (told apart by the first character) -> codes; empty lines are passed over.
 * @throws InputError naming the line, counted from 1.
 */
export function parseCodesFile(text: string, where: string, size = MAX_CODES): ImageCodes[] {
  const images: ImageCodes[] = [];
  for (const [i, line] of text.split("\n").entries()) {
    const trimmed = line.trim();
    if (trimmed === "") continue;
    const at = `${where} line ${i + 1}`;
    images.push(/^[{[]/.test(trimmed) ? parseCodesJson(trimmed, at, size) : { codes: parseCodes(trimmed, at, size) });
  }
  if (images.length === 0) throw new InputError(`${where}: expected lines of ${CODES_PER_IMAGE} codes, got none.`);
  return images;
}

function isList(value: unknown): value is number[] {
  return Array.isArray(value);
}
