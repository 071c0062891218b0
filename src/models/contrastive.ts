/** The space that the last causal embedding shares with captions. arXiv 2307.08041 section 3.1. */
import { given } from "../base/item.ts";
import type { Params, Tensor } from "../graph/index.ts";
import { linear, normalize } from "../nn/index.ts";
import { type QFormerConfig, qformer } from "./qformer.ts";
import type { SeedConfig } from "./seed-tokenizer.ts";

/** Initial value of the key `temp`. */
export const TEMPERATURE = 0.07;
/** Keys of the scalars that only training reads: the temperature of stages 1 and 2, and that of the CLIP pair. */
export const TEMPERATURES = ["temp", "clip.logit_scale"] as const;

/** y: causal embeddings f32 [B,32 or 1,D] -> [B,F], from the last alone, as only that one has seen all others. */
export function imageFeature(p: Params, y: Tensor, config: SeedConfig): Tensor {
  return feature(p.at("vision_proj"), y, y.size(1) - 1, config);
}

/** hidden: f32 [B,L or 1,D] -> [B,F], from the begin token. */
export function textFeature(p: Params, hidden: Tensor, config: SeedConfig): Tensor {
  return feature(p.at("text_proj"), hidden, 0, config);
}

function feature(p: Params, hidden: Tensor, position: number, { contrastiveWidth }: SeedConfig): Tensor {
  const one = hidden.slice(1, position, position + 1).reshape([hidden.dim(0), hidden.size(2)]);
  return normalize(linear(p, one, given(contrastiveWidth, "contrastiveWidth")));
}

/** The Q-Former as a bidirectional text encoder. ids, mask: i32 [B,L] -> f32 [B,L,D], or one position, f32 [B,1,D]. */
export function textHidden(p: Params, ids: Tensor, mask: Tensor, config: QFormerConfig, only?: number): Tensor {
  return qformer(p.at("Qformer", "bert"), config, { text: { ids, mask }, only, name: "text" });
}
