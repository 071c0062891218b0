/**
 * Llama: RMSNorm, rotary positions, grouped-query attention and a gated MLP, with Hugging Face's key names.
 * Touvron et al. 2023; channels are rotated in pairs across the halves of a head, as in transformers' LlamaForCausalLM.
 */
import { concat, constant, ones, type Params, type Tensor } from "../graph/index.ts";
import {
  extendCache,
  groupedAttention,
  type KeyValue,
  type LmInput,
  type LmOutput,
  STORED_ROWS,
  tokenLogits,
  tokenVectors,
  type VocabularyConfig,
  type VocabularyRows,
  visibility,
} from "./causal-lm.ts";
import { project } from "./lora.ts";

/** Slower rotation, for contexts longer than in pretraining. */
export type RopeScaling =
  /** All frequencies divided. */
  | { readonly kind: "linear"; readonly factor: number }
  /** Llama 3.1: low frequencies divided, high ones kept, a ramp between. */
  | {
      readonly kind: "llama3";
      readonly factor: number;
      readonly lowFactor: number;
      readonly highFactor: number;
      readonly originalContext: number;
    };

export interface LlamaConfig extends VocabularyConfig {
  readonly kind: "llama";
  readonly layers: number;
  readonly heads: number;
  /** Heads of keys and values. */
  readonly kvHeads: number;
  readonly headWidth: number;
  /** Width inside the MLP. */
  readonly intermediate: number;
  /** Largest number of tokens. */
  readonly context: number;
  readonly eps: number;
  /** Base of the rotary frequencies. */
  readonly ropeBase: number;
  readonly ropeScaling?: RopeScaling;
  /** Default false. */
  readonly attentionBias?: boolean;
  readonly mlpBias?: boolean;
}

/** Keys below `p`: `model.embed_tokens`, `model.layers.i.*`, `model.norm`. */
export function llama(p: Params, input: LmInput, config: LlamaConfig, rows: VocabularyRows = STORED_ROWS): LmOutput {
  const { layers, eps } = config;
  const model = p.at("model");
  const { tokens } = input;
  let x = tokens.dtype === "i32" ? tokenVectors(model.at("embed_tokens"), tokens, config, rows.embeddings) : tokens;
  const angles = rotations(input.positions, config);
  const mask = visibility(input);
  const present: KeyValue[] = [];
  for (let i = 0; i < layers; i++) {
    const layer = model.at("layers", i);
    const h = rmsNorm(layer.at("input_layernorm"), x, eps);
    const { out, cache } = attention(layer.at("self_attn"), h, config, {
      rotations: angles,
      mask,
      past: input.past?.[i],
    });
    x = x.add(out);
    x = x.add(gatedMlp(layer.at("mlp"), rmsNorm(layer.at("post_attention_layernorm"), x, eps), config));
    p.tap(`layer.${i}`, x);
    present.push(cache);
  }
  return { hidden: rmsNorm(model.at("norm"), x, eps), present };
}

/** hidden: f32 [...,D] -> f32 [...,V]. Keys `lm_head.*`, or those of the embeddings if tied. */
export function llamaLogits(
  p: Params,
  hidden: Tensor,
  config: LlamaConfig,
  rows: VocabularyRows = STORED_ROWS,
): Tensor {
  const head = p.at("lm_head");
  return tokenLogits({ head, table: config.tied ? p.at("model", "embed_tokens") : head }, hidden, config, rows);
}

/** x / sqrt(mean(x²) + eps) weight over the last axis. Zhang & Sennrich 2019. */
function rmsNorm(p: Params, x: Tensor, eps: number): Tensor {
  return x.div(x.square().mean(-1, true).add(eps).sqrt()).mul(p.get("weight", [x.size(-1)], ones));
}

/** Cosines and sines of the rotation angles of all positions, f32 [B,T,1,Dh/2]. */
interface Rotations {
  readonly cos: Tensor;
  readonly sin: Tensor;
}

function rotations(positions: Tensor, config: LlamaConfig): Rotations {
  const angles = positions
    .cast("f32")
    .reshape([positions.dim(0), positions.dim(1), 1, 1])
    .mul(constant(frequencies(config)));
  return { cos: angles.cos(), sin: angles.sin() };
}

/** Radians per position for each pair of a head's channels, f32 [Dh/2]. Su et al. 2021; scaling as in transformers. */
function frequencies({ headWidth, ropeBase, ropeScaling: scaling }: LlamaConfig): Float32Array {
  const plain = Float32Array.from({ length: headWidth / 2 }, (_, i) => ropeBase ** ((-2 * i) / headWidth));
  if (!scaling) return plain;
  if (scaling.kind === "linear") return plain.map((f) => f / scaling.factor);
  const { factor, lowFactor, highFactor, originalContext } = scaling;
  return plain.map((f) => {
    const rotationsInContext = (originalContext * f) / (2 * Math.PI);
    const share = Math.min(1, Math.max(0, (rotationsInContext - lowFactor) / (highFactor - lowFactor)));
    return f * (share + (1 - share) / factor);
  });
}

/** x: [B,T,heads Dh], the first half of each head's channels paired with the second -> same shape. */
function rotate(x: Tensor, heads: number, { cos, sin }: Rotations): Tensor {
  const [B, T, D] = [x.dim(0), x.dim(1), x.size(2)];
  const Dh = D / heads;
  const split = x.reshape([B, T, heads, Dh]);
  const [a, b] = [split.slice(-1, 0, Dh / 2), split.slice(-1, Dh / 2)];
  return concat([a.mul(cos).sub(b.mul(sin)), b.mul(cos).add(a.mul(sin))], -1).reshape([B, T, D]);
}

interface AttentionContext {
  readonly rotations: Rotations;
  readonly mask: Tensor;
  readonly past: KeyValue | undefined;
}

/** x: [B,T,D] -> [B,T,D]. Keys `q_proj`, `k_proj`, `v_proj`, `o_proj`. */
function attention(
  p: Params,
  x: Tensor,
  config: LlamaConfig,
  { rotations: angles, mask, past }: AttentionContext,
): { out: Tensor; cache: KeyValue } {
  const { width, heads, kvHeads, headWidth, attentionBias: bias = false } = config;
  const q = rotate(project(p.at("q_proj"), x, heads * headWidth, { bias }), heads, angles);
  const k = rotate(project(p.at("k_proj"), x, kvHeads * headWidth, { bias }), kvHeads, angles);
  const v = project(p.at("v_proj"), x, kvHeads * headWidth, { bias });
  const cache = extendCache(k, v, kvHeads, past);
  const out = project(p.at("o_proj"), groupedAttention(q, cache, heads, mask), width, { bias });
  return { out, cache };
}

/** down(silu(gate(x)) up(x)). Shazeer 2020. x: [B,T,D] -> [B,T,D]. */
function gatedMlp(p: Params, x: Tensor, { width, intermediate, mlpBias: bias = false }: LlamaConfig): Tensor {
  const gate = project(p.at("gate_proj"), x, intermediate, { bias }).silu();
  return project(p.at("down_proj"), gate.mul(project(p.at("up_proj"), x, intermediate, { bias })), width, { bias });
}
