/**
 * Layers: functions of a parameter scope and symbolic tensors. Letters: B batch, T tokens, S keys, D width, H heads,
 * Dh head width, F hidden width, C Y X channels, rows, columns.
 */
import { ShapeError } from "../base/errors.ts";
import { constant, filled, normal, ones, type Params, type Tensor, zeros } from "../graph/index.ts";
import type { Init } from "../graph/ops.ts";

export interface LinearOptions {
  /** Default true. */
  readonly bias?: boolean;
  /** Default N(0, 0.02), the usual choice for transformers. */
  readonly init?: Init;
}

/** x: f32 [...,in] -> [...,out]. Keys `weight` [out,in], `bias` [out]. */
export function linear(
  p: Params,
  x: Tensor,
  out: number,
  { bias = true, init = normal(0.02) }: LinearOptions = {},
): Tensor {
  const w = p.get("weight", [out, x.size(-1)], init);
  return bias ? x.linear(w, p.get("bias", [out], zeros)) : x.linear(w);
}

/** Over the last axis. Keys `weight`, `bias`. */
export function layerNorm(p: Params, x: Tensor, eps: number): Tensor {
  const D = x.size(-1);
  return x.layerNorm(p.get("weight", [D], ones), p.get("bias", [D], zeros), eps);
}

/** Rows of a table. ids: i32 [...S] -> f32 [...S,D]. Key `weight` [count,D]. */
export function embedding(p: Params, ids: Tensor, count: number, width: number, std = 0.02): Tensor {
  return p.get("weight", [count, width], normal(std)).gather(ids);
}

/** [B,T,D] -> [B,H,T,Dh]. */
function splitHeads(x: Tensor, heads: number): Tensor {
  const [B, T, D] = [x.dim(0), x.dim(1), x.size(2)];
  if (D % heads !== 0) throw new ShapeError(`attention: expected a width that ${heads} heads share, got ${D}.`);
  return x.reshape([B, T, heads, D / heads]).transpose([0, 2, 1, 3]);
}

/**
 * Scaled dot-product attention. q: [B,T,D], k and v: [B,S,D], mask: additive, broadcasts to [B,H,T,S] -> [B,T,D].
 * Vaswani et al. 2017, eq. 1.
 */
export function attend(q: Tensor, k: Tensor, v: Tensor, heads: number, mask?: Tensor): Tensor {
  const Dh = q.size(2) / heads;
  const scores = splitHeads(q, heads).matmul(splitHeads(k, heads), { transB: true, alpha: Dh ** -0.5 }); // [B,H,T,S]
  const att = (mask ? scores.add(mask) : scores).softmax();
  const out = att.matmul(splitHeads(v, heads)); // [B,H,T,Dh]
  return out.transpose([0, 2, 1, 3]).reshape([q.dim(0), q.dim(1), v.size(2)]);
}

/** Additive mask [T,T]: 0 where a row may look (itself and before), `blocked` elsewhere. */
export function causalMask(T: number, blocked = -10000): Tensor {
  const data = new Float32Array(T * T);
  for (let i = 0; i < T; i++) data.fill(blocked, i * T + i + 1, (i + 1) * T);
  return constant(data, [T, T]);
}

/** Additive mask [B,1,1,S] of a padding mask i32 [B,S] (1 = token, 0 = padding). */
export function paddingMask(mask: Tensor, blocked = -10000): Tensor {
  const hidden = mask.cast("f32").sub(1).mul(-blocked);
  return hidden.reshape([mask.dim(0), 1, 1, mask.dim(1)]);
}

export interface ConvOptions {
  readonly kernel: number;
  readonly stride?: number;
  /** Default: what keeps the size at stride 1. */
  readonly padding?: number;
  readonly init?: Init;
}

/** x: f32 [B,C,Y,X] -> [B,out,Y',X']. Keys `weight` [out,C,kernel,kernel], `bias` [out]. */
export function conv2d(p: Params, x: Tensor, out: number, { kernel, stride = 1, padding, init }: ConvOptions): Tensor {
  const C = x.size(1);
  const w = p.get("weight", [out, C, kernel, kernel], init ?? normal((C * kernel * kernel) ** -0.5));
  const y = x.conv2d(w, { stride, padding: padding ?? (kernel - 1) >> 1 });
  return y.add(p.get("bias", [out], zeros).reshape([out, 1, 1]));
}

/** Over each group of channels and all pixels. x: [B,C,Y,X]. Keys `weight` [C], `bias` [C]. Wu & He 2018. */
export function groupNorm(p: Params, x: Tensor, groups: number, eps: number): Tensor {
  const C = x.size(1);
  return x.groupNorm(p.get("weight", [C], ones), p.get("bias", [C], zeros), { groups, eps });
}

/** x / max(|x|, 1e-12) over the last axis. */
export function normalize(x: Tensor): Tensor {
  return x.div(x.square().sum(-1, true).sqrt().maximum(1e-12));
}

/** A learned scalar, f32 []. */
export function scalar(p: Params, name: string, value: number): Tensor {
  return p.get(name, [], filled(value));
}
