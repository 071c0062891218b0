import { sha256 } from "../io/hash.ts";

/** Hash of a codebook, f32 [codes,width]: 16 hex digits. Codes of another codebook mean other things. */
export function codebookHash(table: Float32Array): string {
  const bytes = new Uint8Array(table.buffer, table.byteOffset, table.byteLength);
  return sha256().update(bytes).hex().slice(0, 16);
}
