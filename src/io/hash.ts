/** Hashes and checksums of bytes. */
import { storage } from "#storage";
import type { Hasher } from "./storage.ts";

export type { Hasher } from "./storage.ts";

/** SHA-256 of bytes that come in pieces. */
export function sha256(): Hasher {
  return storage.sha256();
}

/** SHA-256 of a file, hexadecimal; it is read piece by piece. @throws InputError if it is missing. */
export async function fileSha256(path: string): Promise<string> {
  const source = await storage.open(path);
  const hash = storage.sha256();
  try {
    for (let at = 0; at < source.size; at += PIECE)
      hash.update(await source.read(at, Math.min(PIECE, source.size - at)));
    return hash.hex();
  } finally {
    await source.close();
  }
}

const PIECE = 2 ** 20;

/**
 * SHA-256 of several texts and arrays, 16 hexadecimal digits. Each part counts with its kind and length, so that
 * ("ab", "c") and ("a", "bc") differ.
 */
export function hashOf(...parts: readonly (string | Float32Array)[]): string {
  const hash = sha256();
  for (const part of parts) {
    const bytes =
      typeof part === "string"
        ? new TextEncoder().encode(part)
        : new Uint8Array(part.buffer, part.byteOffset, part.byteLength);
    hash.update(`${typeof part === "string" ? "text" : "f32"} ${bytes.length}:`).update(bytes);
  }
  return hash.hex().slice(0, 16);
}

/** The checksum of zip and PNG, unsigned. */
export function crc32(bytes: Uint8Array): number {
  return storage.crc32(bytes);
}
