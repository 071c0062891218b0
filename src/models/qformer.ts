/**
 * The Q-Former: BERT with learned queries, cross-attention to image features every few layers, and a feed-forward of
 * its own for query positions. With 32 queries it is SEED's Causal Q-Former; with 1 or 77 it is the Reverse Q-Former.
 * Li et al. 2023 (BLIP-2) section 3; arXiv 2307.08041 sections 3.1-3.2; key names of the released checkpoints.
 */
import { given } from "../base/item.ts";
import { concat, constant, type Params, type Tensor } from "../graph/index.ts";
import { attend, causalMask, embedding, layerNorm, linear, paddingMask } from "../nn/index.ts";

export interface QFormerConfig {
  readonly hidden: number;
  readonly heads: number;
  readonly layers: number;
  /** Width inside the feed-forwards. */
  readonly intermediate: number;
  /** Cross-attention in layers 0, n, 2n, ... Default 2. */
  readonly crossAttentionFrequency?: number;
  /** Query k attends to queries 0..k only. */
  readonly causal: boolean;
  /** Learned queries of the Causal Q-Former. Default 32. */
  readonly queries?: number | undefined;
  /** Text path: number of words and positions. */
  readonly vocabulary?: number;
  readonly maxPositions?: number;
  /** Default 1e-12. */
  readonly eps?: number;
}

export interface QFormerInput {
  /** f32 [1,Q,D]: the learned queries. */
  readonly queries?: Tensor;
  /** f32 [B,S,W]: what the queries attend to. */
  readonly features?: Tensor;
  /** i32 [B,L] with its mask, 1 = token and 0 = padding. */
  readonly text?: { readonly ids: Tensor; readonly mask: Tensor };
  /**
   * The only position whose result is wanted, of queries alone or text alone: the last layer computes no other, and the
   * result is f32 [B,1,D].
   */
  readonly only?: number | undefined;
  /** Tap names: `<name>.embed`, `<name>.layer.j`, ... Default "qformer". */
  readonly name?: string;
}

/** Positions of one pass: Q queries, then L words; either may be absent. */
interface Pass {
  readonly Q: number;
  readonly L: number;
  readonly mask: Tensor | undefined;
  readonly features: Tensor | undefined;
  /** What the layer computes; undefined for all. */
  readonly only?: number | undefined;
  /** Prefix of the layer's tap names. */
  readonly name: string;
}

/**
 * Queries only, text only, or both in one pass -> last hidden state f32 [B,Q+L,D].
 * Keys below `p` (the checkpoints' `Qformer.bert`): `embeddings.*`, `encoder.layer.j.*`.
 */
export function qformer(p: Params, config: QFormerConfig, input: QFormerInput): Tensor {
  const { queries, features, text, only, name = "qformer" } = input;
  const B = given(features ?? text?.ids, "features or text").dim(0);
  const Q = queries?.size(1) ?? 0;
  const L = text?.ids.size(1) ?? 0;
  const words = text && textEmbeddings(p.at("embeddings"), config, text.ids);
  // Queries alone are the same for the whole batch, so they are normalized before they are copied over it.
  const both = queries && words && concat([queries.expand([B, Q, config.hidden]), words], 1);
  const joined = given(both ?? queries ?? words, "queries or text");
  const normed = layerNorm(p.at("embeddings", "LayerNorm"), joined, config.eps ?? 1e-12);
  let x = text ? normed : normed.expand([B, Q, config.hidden]);
  p.tap(`${name}.embed`, x);
  const pass = { Q, L, mask: selfMask(config, Q, text?.mask), features };
  for (let j = 0; j < config.layers; j++) {
    const wanted = j === config.layers - 1 ? only : undefined;
    x = layer(p.at("encoder", "layer", j), x, config, j, { ...pass, only: wanted, name: `${name}.layer.${j}` });
    p.tap(`${name}.layer.${j}`, x);
  }
  return p.tap(`${name}.last_hidden_state`, x);
}

/** Word plus position. ids: i32 [B,L] -> [B,L,D]. */
function textEmbeddings(p: Params, { vocabulary, maxPositions, hidden }: QFormerConfig, ids: Tensor): Tensor {
  const words = embedding(p.at("word_embeddings"), ids, given(vocabulary, "vocabulary"), hidden);
  const positions = constant(Int32Array.from({ length: ids.size(1) }, (_, i) => i));
  return words.add(embedding(p.at("position_embeddings"), positions, given(maxPositions, "maxPositions"), hidden));
}

/** Additive: causal among queries, every other pair allowed, padding hidden as key. Undefined if nothing is hidden. */
function selfMask({ causal }: QFormerConfig, Q: number, padding?: Tensor): Tensor | undefined {
  const queries = causal && Q > 0 ? causalMask(Q) : undefined;
  if (!padding) return queries;
  const L = padding.size(1);
  if (Q === 0) return paddingMask(padding);
  const words = paddingMask(padding).expand([padding.dim(0), 1, Q + L, L]);
  const square = (queries ?? constant(new Float32Array(Q * Q), [Q, Q])).pad(0, 0, L); // text sees every query
  return concat([square.reshape([1, 1, Q + L, Q]).expand([padding.dim(0), 1, Q + L, Q]), words], 3);
}

/** Post-norm BERT layer. x: [B,Q+L,D] -> same, or [B,1,D] of the only position wanted. */
function layer(p: Params, x: Tensor, config: QFormerConfig, j: number, pass: Pass): Tensor {
  const { Q, L, features, mask, only, name } = pass;
  const row = (t: Tensor, axis: number): Tensor => (only === undefined ? t : t.slice(axis, only, only + 1));
  let h = attention(p.at("attention"), row(x, 1), x, config, mask && (mask.dim(-2) === 1 ? mask : row(mask, -2)));
  p.tap(`${name}.self_attention`, h);
  if (Q === 0) return feedForward(p, h, config, "");
  const words = L > 0 ? h.slice(1, Q, Q + L) : undefined;
  h = L > 0 ? h.slice(1, 0, Q) : h;
  if (features && j % (config.crossAttentionFrequency ?? 2) === 0) {
    h = attention(p.at("crossattention"), h, features, config);
    p.tap(`${name}.cross_attention`, h);
  }
  const q = feedForward(p, h, config, "_query");
  return words ? concat([q, feedForward(p, words, config, "")], 1) : q;
}

/** Keys `self.{query,key,value}`, `output.{dense,LayerNorm}`. x: [B,T,D], source: [B,S,W] -> [B,T,D]. */
function attention(p: Params, x: Tensor, source: Tensor, config: QFormerConfig, mask?: Tensor): Tensor {
  const { hidden: D, heads, eps = 1e-12 } = config;
  const self = p.at("self");
  const q = linear(self.at("query"), x, D);
  const k = linear(self.at("key"), source, D);
  const v = linear(self.at("value"), source, D);
  const out = linear(p.at("output", "dense"), attend(q, k, v, heads, mask), D);
  return layerNorm(p.at("output", "LayerNorm"), out.add(x), eps);
}

/** `kind` "_query" for query positions, "" for words. */
function feedForward(p: Params, x: Tensor, config: QFormerConfig, kind: "_query" | ""): Tensor {
  const { hidden: D, intermediate, eps = 1e-12 } = config;
  const out = p.at(`output${kind}`);
  const h = linear(p.at(`intermediate${kind}`, "dense"), x, intermediate).gelu();
  return layerNorm(out.at("LayerNorm"), linear(out.at("dense"), h, D).add(x), eps);
}
