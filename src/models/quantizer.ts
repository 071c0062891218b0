/** The codebook between the Causal Q-Former and everything after it. arXiv 2307.08041 section 3.2. */
import { normal, type Params, stopGradient, type Tensor, uniform, zeros } from "../graph/index.ts";
import { linear, mse } from "../nn/index.ts";

export interface CodebookConfig {
  /** Number of codes, K. */
  readonly codes: number;
  /** Width of a code, E. */
  readonly width: number;
  /** Weight of the codebook term (the released code's legacy placement). Default 0.25. */
  readonly beta?: number;
  /** Ours: learned vectors take the place of codes that are left out. */
  readonly missing?: true;
}

export interface Quantized {
  /** What was quantized, f32 [B,T,E]. */
  readonly z: Tensor;
  /** i32 [B,T], in [0,K). */
  readonly ids: Tensor;
  /** Straight-through value z + (e - z), f32 [B,T,E]. */
  readonly zq: Tensor;
  /** Squared distances |z|² + |e|² - 2 z·e, f32 [B T,K]. */
  readonly distances: Tensor;
  /** f32 [], mean per element. */
  readonly loss: Tensor;
}

export function codebook(p: Params, { codes, width }: CodebookConfig): Tensor {
  return p.at("quantize", "embedding").get("weight", [codes, width], uniform(1 / codes));
}

/** What is read in place of codes that are left out, one vector per position. f32 [1,T,E]. Key `missing`, below `quantize`. */
export function missingCodes(p: Params, positions: number, width: number): Tensor {
  return p.get("missing", [1, positions, width], zeros);
}

/**
 * Nearest code with a straight-through gradient. z: f32 [B,T,E].
 * @see released VectorQuantizer2, legacy=True: beta scales the codebook term, commitment has weight 1 (published system: legacy codebook loss).
 */
export function vectorQuantize(p: Params, z: Tensor, config: CodebookConfig): Quantized {
  const table = codebook(p, config); // [K,E]
  const flat = z.reshape([-1, config.width]);
  const lengths = flat.square().sum(1, true).add(table.square().sum(1));
  const distances = lengths.sub(flat.matmul(table, { transB: true, alpha: 2 }));
  const ids = distances.argmin().reshape(z.shape.slice(0, -1));
  const e = table.gather(ids);
  const commit = mse(stopGradient(e), z);
  const learn = mse(e, stopGradient(z));
  const zq = z.add(stopGradient(e.sub(z)));
  return { z, ids, zq, distances, loss: commit.add(learn.mul(config.beta ?? 0.25)) };
}

/** Linear D->D, tanh, Linear D->E. y: [B,T,D] -> z: [B,T,E]. Keys `encode_task_layer.{0,2}`. */
export function encodeTask(p: Params, y: Tensor, { width }: CodebookConfig): Tensor {
  return bottleneck(p.at("encode_task_layer"), y, width);
}

/** Linear E->E, tanh, Linear E->D. zq: [B,T,E] -> u: [B,T,D]. Keys `decode_task_layer.{0,2}`. */
export function decodeTask(p: Params, zq: Tensor, hidden: number): Tensor {
  return bottleneck(p.at("decode_task_layer"), zq, hidden);
}

function bottleneck(p: Params, x: Tensor, out: number): Tensor {
  const inner = linear(p.at(0), x, x.size(-1), { init: normal(x.size(-1) ** -0.5) }).tanh();
  return linear(p.at(2), inner, out, { init: normal(x.size(-1) ** -0.5) });
}
