/**
 * What the 32 causal embeddings say together. The contrast of stage 1 reads the last one only, and nothing asks the
 * other 31 to differ: in a small model they become nearly the same (docs/log.md). So here a Q-Former with a query for
 * each place rebuilds the frozen tower's tokens from all of them. Ours; only trained with, never stored in a model.
 */
import { normal, type Params, type Tensor } from "../../graph/index.ts";
import { type QFormerConfig, qformer } from "../../models/qformer.ts";
import { linear, mse } from "../../nn/index.ts";

/** Name prefix of what the loss learns beside. */
export const RECOVER = "recover";

/** A picture's tokens have a scale of their own, so they are compared with mean 0 and variance 1. */
const EPS = 1e-5;

/** The tokens as the embeddings tell them. y: f32 [B,32,D] -> f32 [B,S,W]. Keys `queries`, `bert.*`, `proj.*`. */
export function recoverTokens(p: Params, y: Tensor, S: number, W: number, config: QFormerConfig): Tensor {
  const queries = p.get("queries", [1, S, config.hidden], normal(0.02));
  const reader: QFormerConfig = { ...config, layers: 1, crossAttentionFrequency: 1, causal: false };
  return linear(p.at("proj"), qformer(p.at("bert"), reader, { queries, features: y }), W);
}

/** Mean squared error of the rebuilt tokens, f32 [B,S,W] both; 1 where nothing is known but a token's mean. */
export function recoverLoss(rebuilt: Tensor, tokens: Tensor): Tensor {
  return mse(rebuilt, standardised(tokens));
}

/** Each token with mean 0 and variance 1. */
function standardised(tokens: Tensor): Tensor {
  const centered = tokens.sub(tokens.mean(-1, true));
  return centered.div(centered.square().mean(-1, true).add(EPS).sqrt());
}
