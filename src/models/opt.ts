/**
 * OPT: learned positions, pre-norm blocks, ReLU, biases everywhere, with Hugging Face's key names; the language model of
 * the SEED paper. Zhang et al. 2022. OPT-350m, whose norms come after the sums, is another model and not supported.
 */
import { normal, type Params, type Tensor } from "../graph/index.ts";
import { layerNorm } from "../nn/index.ts";
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

export interface OptConfig extends VocabularyConfig {
  readonly kind: "opt";
  readonly layers: number;
  readonly heads: number;
  /** Equal to `heads`; here so that caches are described alike for all models. */
  readonly kvHeads: number;
  readonly headWidth: number;
  /** Width inside the MLP. */
  readonly intermediate: number;
  /** Largest number of tokens. */
  readonly context: number;
}

const EPS = 1e-5;
/** The first two rows of the table of positions are never used. */
const OFFSET = 2;

/** Keys below `p`: `model.decoder.{embed_tokens,embed_positions,layers.i.*,final_layer_norm}`. */
export function opt(p: Params, input: LmInput, config: OptConfig, rows: VocabularyRows = STORED_ROWS): LmOutput {
  const { layers, width: D, context, intermediate } = config;
  const model = p.at("model", "decoder");
  const { tokens, positions } = input;
  const words =
    tokens.dtype === "i32" ? tokenVectors(model.at("embed_tokens"), tokens, config, rows.embeddings) : tokens;
  const places = model.at("embed_positions").get("weight", [context + OFFSET, D], normal(0.02));
  let x = words.add(places.gather(positions.add(OFFSET)));
  const mask = visibility(input);
  const present: KeyValue[] = [];
  for (let i = 0; i < layers; i++) {
    const layer = model.at("layers", i);
    const h = layerNorm(layer.at("self_attn_layer_norm"), x, EPS);
    const { out, cache } = attention(layer.at("self_attn"), h, config, mask, input.past?.[i]);
    x = x.add(out);
    const inner = project(layer.at("fc1"), layerNorm(layer.at("final_layer_norm"), x, EPS), intermediate).relu();
    x = x.add(project(layer.at("fc2"), inner, D));
    p.tap(`layer.${i}`, x);
    present.push(cache);
  }
  return { hidden: layerNorm(model.at("final_layer_norm"), x, EPS), present };
}

/** hidden: f32 [...,D] -> f32 [...,V]. Keys `lm_head.*`, or those of the embeddings if tied. */
export function optLogits(p: Params, hidden: Tensor, config: OptConfig, rows: VocabularyRows = STORED_ROWS): Tensor {
  const head = p.at("lm_head");
  const table = config.tied ? p.at("model", "decoder", "embed_tokens") : head;
  return tokenLogits({ head, table }, hidden, config, rows);
}

/** x: [B,T,D] -> [B,T,D]. Keys `q_proj`, `k_proj`, `v_proj`, `out_proj`. */
function attention(
  p: Params,
  x: Tensor,
  { width: D, heads }: OptConfig,
  mask: Tensor,
  past: KeyValue | undefined,
): { out: Tensor; cache: KeyValue } {
  const cache = extendCache(project(p.at("k_proj"), x, D), project(p.at("v_proj"), x, D), heads, past);
  const out = groupedAttention(project(p.at("q_proj"), x, D), cache, heads, mask);
  return { out: project(p.at("out_proj"), out, D), cache };
}
