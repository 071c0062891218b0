/** Hashes of files, which tell what model drew a picture and which base an adapter belongs to. */
import { item } from "../base/item.ts";
import { openByteSource } from "../io/files.ts";
import { sha256 } from "../io/hash.ts";
import { openCheckpoint } from "./model-folder.ts";

/** Larger files are only sampled; different weights differ everywhere. */
const WHOLE_BYTES = 2 ** 28;
const PLACES = 64;
const PIECE_BYTES = 2 ** 20;

/**
 * 16 hex digits of the SHA-256 of a file; of a file above 256 MiB, of its length and 64 evenly spaced MiB of it, the first
 * and the last among them.
 * @throws InputError if the file is missing
 */
export async function fileHash(path: string): Promise<string> {
  const source = await openByteSource(path);
  try {
    const { size } = source;
    const hash = sha256();
    if (size > WHOLE_BYTES) hash.update(`${size}`);
    const places = size > WHOLE_BYTES ? PLACES : Math.ceil(size / PIECE_BYTES);
    const step = size > WHOLE_BYTES ? (size - PIECE_BYTES) / (PLACES - 1) : PIECE_BYTES;
    for (let i = 0; i < places; i++) {
      const at = Math.floor(i * step);
      hash.update(await source.read(at, Math.min(PIECE_BYTES, size - at)));
    }
    return hash.hex().slice(0, 16);
  } finally {
    await source.close();
  }
}

/** 16 hex digits for the weights of a base model, a folder (all its shards) or a GGUF file: what an adapter folder records. */
export async function baseHash(path: string): Promise<string> {
  if (path.endsWith(".gguf")) return fileHash(path);
  const checkpoint = await openCheckpoint(path);
  await checkpoint.close();
  const files = [...new Set([...checkpoint.tensors.values()].map(({ file }) => file))].sort();
  const hashes: string[] = [];
  for (const file of files) hashes.push(await fileHash(file));
  if (hashes.length === 1) return item(hashes, 0);
  return sha256().update(hashes.join()).hex().slice(0, 16);
}
