/** The pre-norm transformer block of ViTs. */
import { normal, type Params, type Tensor, zeros } from "../graph/index.ts";
import { attend, layerNorm, linear } from "./layers.ts";

/**
 * The nonlinearity of an MLP: "gelu", x Φ(x), as in published models; "silu", x sigmoid(x); "squared-relu", max(x, 0)²
 * (So et al. 2021, Primer). The derivatives of the last two are cheaper: outside of its matrix products, a training step
 * of a transformer reads and writes 14 and 30 % less.
 */
export type Activation = "gelu" | "silu" | "squared-relu";

export function activate(x: Tensor, activation: Activation): Tensor {
  if (activation === "gelu") return x.gelu();
  return activation === "silu" ? x.silu() : x.relu().square();
}

export interface BlockConfig {
  readonly heads: number;
  /** Width inside the MLP. */
  readonly hidden: number;
  readonly eps: number;
  /** "all": one bias for q, k and v. "q-and-v": EVA's two biases and none for keys. */
  readonly qkvBias: "all" | "q-and-v";
  readonly mask?: Tensor;
  /** Default "gelu". */
  readonly activation?: Activation;
}

/**
 * Self-attention with one stored matrix for q, k and v. x: [B,T,D] -> [B,T,D].
 * Keys `qkv.weight` [3D,D] (rows q, k, v, heads contiguous), then `qkv.bias` [3D] or `q_bias`, `v_bias` [D]; `proj.*`.
 */
export function selfAttention(p: Params, x: Tensor, { heads, qkvBias, mask }: BlockConfig): Tensor {
  const D = x.size(-1);
  const w = p.at("qkv").get("weight", [3 * D, D], normal(0.02));
  const bias = (): Tensor => p.at("qkv").get("bias", [3 * D], zeros);
  const named = (name: string): Tensor => p.get(name, [D], zeros);
  const biases =
    qkvBias === "all"
      ? [0, 1, 2].map((i) => bias().slice(0, i * D, (i + 1) * D))
      : [named("q_bias"), undefined, named("v_bias")];
  // Three products of slices of the weight: slicing the result would cost a pass over activations in the derivative.
  const part = (i: number): Tensor => x.linear(w.slice(0, i * D, (i + 1) * D), biases[i]);
  const [q, k, v] = [part(0), part(1), part(2)];
  return linear(p.at("proj"), attend(q, k, v, heads, mask), D);
}

/** x: [B,T,D] -> [B,T,D]. Keys `fc1.*`, `fc2.*`; exact GELU between by default. */
export function mlp(p: Params, x: Tensor, hidden: number, activation: Activation = "gelu"): Tensor {
  return linear(p.at("fc2"), activate(linear(p.at("fc1"), x, hidden), activation), x.size(-1));
}

/** Pre-norm block. x: [B,T,D] -> [B,T,D]. Keys `norm1`, `attn`, `norm2`, `mlp`. Dosovitskiy et al. 2021, eq. 2-3. */
export function block(p: Params, x: Tensor, config: BlockConfig): Tensor {
  const { eps, hidden, activation } = config;
  const mid = x.add(selfAttention(p.at("attn"), layerNorm(p.at("norm1"), x, eps), config));
  return mid.add(mlp(p.at("mlp"), layerNorm(p.at("norm2"), mid, eps), hidden, activation));
}
