/**
 * CLIP: a text transformer with Hugging Face's key names, and the pooled image embedding over a vision tower.
 * Shared by the text encoders of Stable Diffusion (ViT-L/14, OpenCLIP-H) and the mini model. Radford et al. 2021.
 */
import { constant, normal, type Params, type Tensor } from "../graph/index.ts";
import { attend, causalMask, embedding, layerNorm, linear } from "../nn/index.ts";

/** What the layers of CLIP's text and vision transformers have in common. */
export interface ClipLayersConfig {
  readonly width: number;
  readonly depth: number;
  readonly heads: number;
  /** Width inside the MLP. */
  readonly intermediate: number;
  /** "quick_gelu" in OpenAI's weights: x sigmoid(1.702 x). */
  readonly activation: "gelu" | "quick_gelu";
  /** Default 1e-5. */
  readonly eps?: number;
}

export interface TextEncoderConfig extends ClipLayersConfig {
  readonly vocabulary: number;
  /** Longest caption, begin and end tokens included. */
  readonly maxPositions: number;
  /** Which tokens a token attends to: itself and those before it, as published, or all. Default "before". */
  readonly attention?: "before" | "all";
}

export interface ClipLayersOptions {
  /** Additive, broadcasts to [B,H,S,S]. */
  readonly mask?: Tensor;
  /** Tap names: `<name>.layer.i`. */
  readonly name: string;
}

/** Pre-norm layers with separate matrices for q, k and v. x: f32 [B,S,D] -> [B,S,D]. Keys `encoder.layers.i.*`. */
export function clipLayers(
  p: Params,
  x: Tensor,
  { width: D, depth, heads, intermediate, activation, eps = 1e-5 }: ClipLayersConfig,
  { mask, name }: ClipLayersOptions,
): Tensor {
  for (let i = 0; i < depth; i++) {
    const layer = p.at("encoder", "layers", i);
    const h = layerNorm(layer.at("layer_norm1"), x, eps);
    const attn = layer.at("self_attn");
    const part = (name: string): Tensor => linear(attn.at(name), h, D);
    const [q, k, v] = [part("q_proj"), part("k_proj"), part("v_proj")];
    x = x.add(linear(attn.at("out_proj"), attend(q, k, v, heads, mask), D));
    const inner = linear(layer.at("mlp", "fc1"), layerNorm(layer.at("layer_norm2"), x, eps), intermediate);
    const active = activation === "gelu" ? inner.gelu() : inner.mul(inner.mul(1.702).sigmoid());
    x = x.add(linear(layer.at("mlp", "fc2"), active, D));
    p.tap(`${name}.layer.${i}`, x);
  }
  return x;
}

/**
 * ids: i32 [B,L] -> last hidden state after the final norm, f32 [B,L,D]; causal, no padding mask.
 * Keys below `p`: `embeddings.{token,position}_embedding`, `encoder.layers.i.*`, `final_layer_norm`.
 */
export function textEncoder(p: Params, ids: Tensor, config: TextEncoderConfig): Tensor {
  const { vocabulary, maxPositions, width: D, eps = 1e-5 } = config;
  const L = ids.size(1);
  const positions = constant(Int32Array.from({ length: L }, (_, i) => i));
  const words = embedding(p.at("embeddings", "token_embedding"), ids, vocabulary, D);
  const x = words.add(embedding(p.at("embeddings", "position_embedding"), positions, maxPositions, D, 0.01));
  return layerNorm(p.at("final_layer_norm"), clipLayers(p, x, config, { mask: causalMask(L), name: "text" }), eps);
}

/**
 * The hidden state of each caption's end token, projected. hidden: f32 [B,L,D], end: i32 [B] (its position) -> [B,F].
 * Key `text_projection.weight` [F,D].
 */
export function textEmbedding(p: Params, hidden: Tensor, end: Tensor, width: number): Tensor {
  const [B, L, D] = [hidden.dim(0), hidden.size(1), hidden.size(2)];
  const positions = constant(Int32Array.from({ length: L }, (_, i) => i));
  const hit = positions.equal(end.reshape([B, 1])).cast("f32"); // [B,L], one 1 a row
  const pooled = hit.reshape([B, 1, L]).matmul(hidden).reshape([B, D]);
  return linear(p.at("text_projection"), pooled, width, { bias: false, init: normal(D ** -0.5) });
}

/**
 * Mean over all tokens of the normalized tower output, projected: a mean, so that every patch learns to carry meaning.
 * tokens: f32 [B,S,W] -> [B,F]. Keys `post_layernorm`, `visual_projection.weight`.
 */
export function pooledImageEmbedding(p: Params, tokens: Tensor, width: number): Tensor {
  const pooled = layerNorm(p.at("post_layernorm"), tokens, 1e-5).mean(1);
  return linear(p.at("visual_projection"), pooled, width, { bias: false, init: normal(tokens.size(-1) ** -0.5) });
}

/** Key `logit_scale`: log of the inverse temperature. */
export function logitScale(p: Params): Tensor {
  return p.get("logit_scale", [], { kind: "constant", value: Math.log(1 / 0.07) });
}
