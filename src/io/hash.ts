/** Hashes and checksums of bytes. */
import { storage } from "#storage";
import type { Hasher } from "./storage.ts";

export type { Hasher } from "./storage.ts";

/** SHA-256 of bytes that come in pieces. */
export function sha256(): Hasher {
  return storage.sha256();
}

/** SHA-256 of a file, hexadecimal; it is read piece by piece. @throws SetupError if it is missing. */
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

/** The checksum of zip and PNG, unsigned. */
export function crc32(bytes: Uint8Array): number {
  return storage.crc32(bytes);
}
