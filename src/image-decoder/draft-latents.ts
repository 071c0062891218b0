/** The part of a draft that can be decoded as it is. */
import type { Value } from "../runtime/index.ts";

/** Drafts f32 [B,K,Y,X] -> their latents, the first channels, f32 [B,channels,Y,X]. */
export function draftLatents({ shape, data }: Value, channels: number): Value {
  const [B = 0, K = 0, Y = 0, X = 0] = shape;
  if (K === channels) return { shape, data };
  const size = Y * X;
  const latents = new Float32Array(B * channels * size);
  for (let b = 0; b < B; b++)
    latents.set(data.subarray(b * K * size, (b * K + channels) * size) as Float32Array, b * channels * size);
  return { shape: [B, channels, Y, X], data: latents };
}
