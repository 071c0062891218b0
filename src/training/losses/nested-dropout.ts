/**
 * Nested dropout: for part of the batch only a prefix of the codes is read, so that the first codes learn to say the most
 * and every prefix is a picture. Rippel, Gelbart & Adams 2014.
 */
import type { Rng } from "../../base/rng.ts";
import { type Params, type Tensor, zeros } from "../../graph/index.ts";

/**
 * Which codes are read, 1 or 0, f32 [count,codes,1]: with chance `share` the first k of them, k uniform from 1 to
 * codes - 1, else all.
 */
export function drawPrefixes(count: number, codes: number, share: number, rng: Rng): Float32Array {
  const keep = new Float32Array(count * codes).fill(1);
  for (let b = 0; b < count; b++) {
    if (rng.next() >= share) continue;
    keep.fill(0, b * codes + 1 + rng.int(codes - 1), (b + 1) * codes);
  }
  return keep;
}

/**
 * Decoded vectors with those behind the prefix replaced by learned ones. vectors: f32 [B,T,D], keep: f32 [B,T,1] -> [B,T,D].
 * Key `missing` [1,T,D].
 */
export function keepPrefix(p: Params, vectors: Tensor, keep: Tensor): Tensor {
  const missing = p.get("missing", [1, vectors.size(1), vectors.size(2)], zeros);
  return vectors.mul(keep).add(missing.mul(keep.neg().add(1)));
}
