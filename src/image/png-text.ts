/** Notes inside PNG files: `tEXt` and `iTXt` chunks, written and read. PNG specification, 11.3.3. */
import { concatBytes, dataView, fromLatin1, latin1, startsWith, utf8 } from "../base/bytes.ts";
import { crc32 } from "../base/crc32.ts";
import { InputError, UsageError } from "../base/errors.ts";
import { quote, reason } from "../base/one-line.ts";

/** "\x89PNG\r\n\x1a\n". */
const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
/** Length, type and checksum of a chunk. */
const AROUND = 12;
/** Signature, then the IHDR chunk with 13 bytes of data. */
const HEADER = SIGNATURE.length + AROUND + 13;
/** Largest note that is read, bytes, and most notes; nothing longer holds codes. */
const MAX_NOTE = 200_000;
const MAX_NOTES = 100;

/** A PNG file with notes (keyword -> value) after its header. */
export function addPngText(png: Uint8Array, notes: Readonly<Record<string, string>>): Uint8Array {
  const chunks = Object.entries(notes).map(([keyword, value]) => textChunk(keyword, value));
  return concatBytes([png.subarray(0, HEADER), ...chunks, png.subarray(HEADER)]);
}

/** A `tEXt` chunk, or `iTXt` (UTF-8, not compressed) if the value does not fit in Latin-1. */
export function textChunk(keyword: string, value: string): Uint8Array {
  const key = latin1(`${keyword}\0`);
  if (!key || !/^[\x21-\x7e\xa1-\xff]([\x20-\x7e\xa1-\xff]{0,77}[\x21-\x7e\xa1-\xff])?$/.test(keyword)) {
    throw new UsageError(`PNG text: expected a keyword of 1 to 79 Latin-1 characters, got ${quote(keyword)}.`);
  }
  if (value.includes("\0")) throw new UsageError(`PNG text ${quote(keyword)}: a value cannot hold a zero character.`);
  const plain = latin1(value);
  return plain ? chunk("tEXt", key, plain) : chunk("iTXt", key, new Uint8Array(4), utf8(value));
}

/**
 * The notes of a PNG file, keyword -> value; of equal keywords the first counts, and compressed notes are passed over.
 * The pixels are not looked at.
 * @throws InputError if the bytes are not a PNG, end within a chunk, or hold a note that is damaged or absurdly long
 */
export function readPngText(bytes: Uint8Array, where: string): Map<string, string> {
  if (!startsWith(bytes, SIGNATURE))
    throw new InputError(`${where}: expected a PNG picture, got another kind of file.`);
  const view = dataView(bytes);
  const notes = new Map<string, string>();
  let count = 0;
  for (let at = SIGNATURE.length; at < bytes.length; ) {
    const left = bytes.length - at - AROUND;
    const length = left < 0 ? 0 : view.getUint32(at);
    if (length > left) throw damaged(where, "it ends within a chunk");
    const type = fromLatin1(bytes.subarray(at + 4, at + 8));
    if (type === "IEND") return notes;
    if (type === "tEXt" || type === "iTXt") {
      if (length > MAX_NOTE) throw damaged(where, `a note of ${length} bytes, more than ${MAX_NOTE}`);
      if (++count > MAX_NOTES) throw damaged(where, `more than ${MAX_NOTES} notes`);
      const body = bytes.subarray(at + 8, at + 8 + length);
      if (crc32(bytes.subarray(at + 4, at + 8 + length)) !== view.getUint32(at + 8 + length))
        throw damaged(where, "the checksum of a note is wrong");
      const note = type === "tEXt" ? latin1Note(body) : utf8Note(body, where);
      if (note && !notes.has(note[0])) notes.set(...note);
    }
    at += AROUND + length;
  }
  throw damaged(where, "its end is missing");
}

function latin1Note(body: Uint8Array): [string, string] | undefined {
  const end = body.indexOf(0);
  return end < 0 ? undefined : [fromLatin1(body.subarray(0, end)), fromLatin1(body.subarray(end + 1))];
}

/** Keyword, 0, compressed?, method, language, 0, translated keyword, 0, text. */
function utf8Note(body: Uint8Array, where: string): [string, string] | undefined {
  const end = body.indexOf(0);
  const language = end < 0 ? -1 : body.indexOf(0, end + 3);
  const translated = language < 0 ? -1 : body.indexOf(0, language + 1);
  if (translated < 0 || body[end + 1] !== 0) return undefined;
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body.subarray(translated + 1));
    return [fromLatin1(body.subarray(0, end)), text];
  } catch (error) {
    throw damaged(where, reason(error));
  }
}

function damaged(where: string, what: string): InputError {
  return new InputError(`${where}: damaged PNG picture (${what}). Save or download it again.`);
}

function chunk(type: string, ...parts: readonly Uint8Array[]): Uint8Array {
  const data = concatBytes([utf8(type), ...parts]);
  const bytes = new Uint8Array(4 + data.length + 4);
  const view = dataView(bytes);
  view.setUint32(0, data.length - 4);
  bytes.set(data, 4);
  view.setUint32(4 + data.length, crc32(data));
  return bytes;
}
