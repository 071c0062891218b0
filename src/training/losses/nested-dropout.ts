/**
 * Nested dropout: for part of the batch only a prefix of the codes is read, so that the first codes learn to carry the most
 * information and every prefix gives a picture. Rippel, Gelbart & Adams 2014.
 */
import type { Rng } from "../../base/rng.ts";
import type { Params, Tensor } from "../../graph/index.ts";
import { missingCodes } from "../../models/quantizer.ts";

/**
 * Which codes are read, 1 or 0, f32 [count,codes,1]: all of the first `whole` rows, of the others the first k, k uniform
 * from 1 to codes - 1.
 */
export function drawPrefixes(count: number, codes: number, whole: number, rng: Rng): Float32Array<ArrayBuffer> {
  const keep = new Float32Array(count * codes).fill(1);
  for (let b = whole; b < count; b++) keep.fill(0, b * codes + 1 + rng.int(codes - 1), (b + 1) * codes);
  return keep;
}

/**
 * Codes' vectors with those after the prefix replaced by learned ones. vectors: f32 [B,T,E], keep: f32 [B,T,1] -> [B,T,E].
 * Key `missing` [1,T,E].
 */
export function keepPrefix(p: Params, vectors: Tensor, keep: Tensor): Tensor {
  const missing = missingCodes(p, vectors.size(1), vectors.size(2));
  return vectors.mul(keep).add(missing.mul(keep.neg().add(1)));
}
