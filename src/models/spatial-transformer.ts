/** Self-attention over a feature map and cross-attention to a context: diffusers' `Transformer2DModel`, its key names. */
import { type Init, normal, type Params, type Tensor, zeros } from "../graph/index.ts";
import { attend, groupNorm, layerNorm } from "../nn/index.ts";
import { dense } from "./resnet2d.ts";

export interface SpatialTransformerConfig {
  readonly heads: number;
  readonly groups: number;
  /** `proj_in` and `proj_out` stored as [D,D] (Stable Diffusion 2) and not as 1x1 convolutions [D,D,1,1]. */
  readonly linearProjection: boolean;
}

/**
 * x: f32 [B,D,Y,X], context: f32 [B,S,Dc] -> [B,D,Y,X]. Keys `norm`, `proj_in`, `transformer_blocks.0`, `proj_out`;
 * `proj_out` starts at zero.
 */
export function spatialTransformer(p: Params, x: Tensor, context: Tensor, config: SpatialTransformerConfig): Tensor {
  const { heads, groups, linearProjection } = config;
  const [B, D, Y, X] = [x.dim(0), x.size(1), x.size(2), x.size(3)];
  const project = (scope: Params, t: Tensor, init: Init): Tensor => {
    const w = scope.get("weight", linearProjection ? [D, D] : [D, D, 1, 1], init);
    return t.linear(linearProjection ? w : w.reshape([D, D]), scope.get("bias", [D], zeros));
  };
  const places = groupNorm(p.at("norm"), x, groups, 1e-6)
    .reshape([B, D, Y * X])
    .transpose([0, 2, 1]); // [B,P,D]
  let h = project(p.at("proj_in"), places, normal(D ** -0.5));
  h = transformerBlock(p.at("transformer_blocks", 0), h, context, heads);
  h = project(p.at("proj_out"), h, zeros);
  return x.add(h.transpose([0, 2, 1]).reshape([B, D, Y, X]));
}

/** Pre-norm: self-attention, attention to the context, gated feed-forward. x: f32 [B,P,D] -> [B,P,D]. */
function transformerBlock(p: Params, x: Tensor, context: Tensor, heads: number): Tensor {
  const own = layerNorm(p.at("norm1"), x, 1e-5);
  let h = x.add(attention(p.at("attn1"), own, own, heads));
  h = h.add(attention(p.at("attn2"), layerNorm(p.at("norm2"), h, 1e-5), context, heads));
  const active = geglu(p.at("ff", "net", 0, "proj"), layerNorm(p.at("norm3"), h, 1e-5), 4 * x.size(-1));
  return h.add(dense(p.at("ff", "net", 2), active, x.size(-1)));
}

/** x: f32 [B,P,D] attends to context: f32 [B,S,Dc]. Keys `to_q`, `to_k`, `to_v` (no biases), `to_out.0`. */
function attention(p: Params, x: Tensor, context: Tensor, heads: number): Tensor {
  const D = x.size(-1);
  const q = dense(p.at("to_q"), x, D, false);
  const [k, v] = [dense(p.at("to_k"), context, D, false), dense(p.at("to_v"), context, D, false)];
  return dense(p.at("to_out", 0), attend(q, k, v, heads), D);
}

/**
 * value GELU(gate) of two projections stored as one [2F,D], value first. x: f32 [...,D] -> [...,F]. Shazeer 2020.
 * The weight is split rather than the product: splitting activations costs a pass over them in the derivative.
 */
function geglu(p: Params, x: Tensor, F: number): Tensor {
  const D = x.size(-1);
  const w = p.get("weight", [2 * F, D], normal(D ** -0.5));
  const b = p.get("bias", [2 * F], zeros);
  const half = (row: number): Tensor => x.linear(w.slice(0, row, row + F), b.slice(0, row, row + F));
  const [value, gate] = [half(0), half(F)];
  return value.mul(gate.gelu());
}
