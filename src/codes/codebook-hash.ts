import { createHash } from "node:crypto";

/** Names a codebook by its numbers, f32 [codes,width]: 16 hex digits. Codes of another codebook mean other things. */
export function codebookHash(table: Float32Array): string {
  const bytes = new Uint8Array(table.buffer, table.byteOffset, table.byteLength);
  return createHash("sha256").update(bytes).digest("hex").slice(0, 16);
}
