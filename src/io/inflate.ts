/** Unpacking. */
import { storage } from "#storage";

/** Unpacks a raw deflate stream. @throws if it is damaged or longer than `maxBytes`. */
export function inflateRaw(packed: Uint8Array, maxBytes: number): Promise<Uint8Array> {
  return storage.inflateRaw(packed, maxBytes);
}
