/** Text files line by line, however long they are. */

import { concatBytes } from "../base/bytes.ts";
import { decodeText } from "../base/decode-text.ts";
import { InputError } from "../base/errors.ts";
import { openByteSource } from "./files.ts";

const CHUNK_BYTES = 256 * 1024;

/** The bytes of a file in pieces. @throws SetupError or InputError if it cannot be read. */
export async function* fileChunks(path: string): AsyncGenerator<Uint8Array> {
  const source = await openByteSource(path);
  try {
    for (let at = 0; at < source.size; at += CHUNK_BYTES)
      yield await source.read(at, Math.min(CHUNK_BYTES, source.size - at));
  } finally {
    await source.close();
  }
}

/**
 * The lines of a text file without line endings, numbered from 1.
 * @throws InputError if a line has more than `maxBytes` bytes or is not UTF-8, and as `fileChunks` does.
 */
export async function* fileLines(path: string, maxBytes: number): AsyncGenerator<{ line: string; number: number }> {
  let number = 1;
  let rest = new Uint8Array(0);
  const whole = (bytes: Uint8Array): { line: string; number: number } => {
    const line = decodeText(expectShort(bytes), `${path}:${number}`).replace(/\r$/, "");
    return { line, number: number++ };
  };
  const expectShort = (bytes: Uint8Array): Uint8Array => {
    if (bytes.length <= maxBytes) return bytes;
    throw new InputError(`${path}:${number}: expected a line of at most ${maxBytes} bytes, got more.`);
  };
  for await (const chunk of fileChunks(path)) {
    let bytes = concatBytes([rest, chunk]);
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10)) {
      yield whole(bytes.subarray(0, end));
      bytes = bytes.subarray(end + 1);
    }
    expectShort(bytes);
    rest = bytes;
  }
  if (rest.length > 0) yield whole(rest);
}
