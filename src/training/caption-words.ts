/**
 * The words of the caption as classes that a picture has to name. Beside the contrast, which in a small batch asks for
 * little more than the background, it gives every thing in the picture a gradient of its own. Huang et al. 2024
 * (SuperClass), with their weights: rare words count more.
 */
import { normal, type Params, type Tensor } from "../graph/index.ts";
import { layerNorm, linear } from "../nn/index.ts";
import { SPECIALS } from "../text/caption-tokenizer.ts";

/** How much each word counts: log(captions / captions with it), 0 for special tokens. */
export function wordWeights(ids: Int32Array, captions: number, vocabulary: number): Float32Array {
  const length = ids.length / captions;
  const within = new Float32Array(vocabulary);
  for (let b = 0; b < captions; b++)
    for (const id of new Set(ids.subarray(b * length, (b + 1) * length))) within[id] = within[id]! + 1;
  return within.map((n, id) => (id < SPECIALS.length ? 0 : Math.log((captions + 1) / (n + 1))));
}

/** Share of each word in what a caption says. ids: i32 [B,L] -> f32 [B,V], rows sum to 1 (0 without any word). */
export function wordShares(ids: Int32Array, captions: number, weights: Float32Array): Float32Array {
  const [L, V] = [ids.length / captions, weights.length];
  const out = new Float32Array(captions * V);
  for (let b = 0; b < captions; b++) {
    const words = [...new Set(ids.subarray(b * L, (b + 1) * L))];
    const total = words.reduce((sum, id) => sum + weights[id]!, 0);
    if (total > 0) for (const id of words) out[b * V + id] = weights[id]! / total;
  }
  return out;
}

/** Cross entropy of the words. tokens: f32 [B,S,W] of the tower, shares: f32 [B,V]. Keys `post_layernorm`, `words`. */
export function captionWordsLoss(p: Params, tokens: Tensor, shares: Tensor): Tensor {
  const pooled = layerNorm(p.at("post_layernorm"), tokens, 1e-5).mean(1);
  const logits = linear(p.at("words"), pooled, shares.size(1), { init: normal(tokens.size(-1) ** -0.5) });
  return logits.logSoftmax().mul(shares).sum(-1).mean().neg();
}
