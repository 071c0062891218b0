/** Notes inside PNG files: `tEXt` and `iTXt` chunks, written and read. PNG specification, 11.3.3. */
import { InputError, UsageError } from "../base/errors.ts";
import { quote, reason } from "../base/one-line.ts";

const SIGNATURE = Buffer.from("\x89PNG\r\n\x1a\n", "latin1");
/** Length, type and checksum of a chunk. */
const AROUND = 12;
/** Largest note that is read, bytes, and how many; longer ones are nobody's codes. */
const MAX_NOTE = 200_000;
const MAX_NOTES = 100;

/** A `tEXt` chunk, or `iTXt` (UTF-8, not compressed) if the value does not fit in Latin-1. */
export function textChunk(keyword: string, value: string): Buffer {
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

/**
 * The notes of a PNG file, keyword -> value; of equal keywords the first counts, and compressed notes are passed over.
 * The pixels are not looked at.
 * @throws InputError if the bytes are no PNG, end within a chunk, or hold a note that is damaged or absurdly long
 */
export function readPngText(bytes: Uint8Array, where: string): Map<string, string> {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (!file.subarray(0, SIGNATURE.length).equals(SIGNATURE))
    throw new InputError(`${where}: expected a PNG picture, got another kind of file.`);
  const notes = new Map<string, string>();
  let count = 0;
  for (let at = SIGNATURE.length; at < file.length; ) {
    const left = file.length - at - AROUND;
    const length = left < 0 ? 0 : file.readUInt32BE(at);
    if (length > left) throw damaged(where, "it ends within a chunk");
    const type = file.toString("latin1", at + 4, at + 8);
    if (type === "IEND") return notes;
    if (type === "tEXt" || type === "iTXt") {
      if (length > MAX_NOTE) throw damaged(where, `a note of ${length} bytes, more than ${MAX_NOTE}`);
      if (++count > MAX_NOTES) throw damaged(where, `more than ${MAX_NOTES} notes`);
      const body = file.subarray(at + 8, at + 8 + length);
      if (crc32(file.subarray(at + 4, at + 8 + length)) !== file.readUInt32BE(at + 8 + length))
        throw damaged(where, "the checksum of a note is wrong");
      const note = type === "tEXt" ? latin1Note(body) : utf8Note(body, where);
      if (note && !notes.has(note[0])) notes.set(...note);
    }
    at += AROUND + length;
  }
  throw damaged(where, "its end is missing");
}

function latin1Note(body: Buffer): [string, string] | undefined {
  const end = body.indexOf(0);
  return end < 0 ? undefined : [body.toString("latin1", 0, end), body.toString("latin1", end + 1)];
}

/** Keyword, 0, compressed?, method, language, 0, translated keyword, 0, text. */
function utf8Note(body: Buffer, where: string): [string, string] | undefined {
  const end = body.indexOf(0);
  const language = end < 0 ? -1 : body.indexOf(0, end + 3);
  const translated = language < 0 ? -1 : body.indexOf(0, language + 1);
  if (translated < 0 || body[end + 1] !== 0) return undefined;
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body.subarray(translated + 1));
    return [body.toString("latin1", 0, end), text];
  } catch (error) {
    throw damaged(where, reason(error));
  }
}

function damaged(where: string, what: string): InputError {
  return new InputError(`${where}: damaged PNG picture (${what}). Save or download it again.`);
}

function chunk(type: string, data: Buffer): Buffer {
  const bytes = Buffer.alloc(data.length + AROUND);
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
