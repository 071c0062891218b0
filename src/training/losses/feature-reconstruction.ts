/**
 * Feature reconstruction: the 32 causal embeddings together rebuild the frozen tower's tokens. The contrast of stage 1
 * reads the last embedding only and asks nothing of the other 31, which in a small model become nearly alike
 * (docs/log.md). A Q-Former with a query for each token reads all of them. Ours; used in training only, never stored.
 */
import { normal, type Params, type Tensor } from "../../graph/index.ts";
import { type QFormerConfig, qformer } from "../../models/qformer.ts";
import { linear, mse } from "../../nn/index.ts";

/** Name prefix of the parameters that only this loss has. */
export const RECONSTRUCTION = "recover";

/** Tokens differ in scale, so they are compared with mean 0 and variance 1. */
const EPS = 1e-5;

/** The tokens, rebuilt. y: f32 [B,32,D] -> f32 [B,S,W]. Keys `queries`, `bert.*`, `proj.*`. */
export function reconstructTokens(p: Params, y: Tensor, S: number, W: number, config: QFormerConfig): Tensor {
  const queries = p.get("queries", [1, S, config.hidden], normal(0.02));
  const reader: QFormerConfig = { ...config, layers: 1, crossAttentionFrequency: 1, causal: false };
  return linear(p.at("proj"), qformer(p.at("bert"), reader, { queries, features: y }), W);
}

/** Mean squared error of the rebuilt tokens, f32 [B,S,W] both; 1 for a prediction of the mean. */
export function featureReconstructionLoss(rebuilt: Tensor, tokens: Tensor): Tensor {
  return mse(rebuilt, standardized(tokens));
}

/** Each token with mean 0 and variance 1. */
function standardized(tokens: Tensor): Tensor {
  const centered = tokens.sub(tokens.mean(-1, true));
  return centered.div(centered.square().mean(-1, true).add(EPS).sqrt());
}
