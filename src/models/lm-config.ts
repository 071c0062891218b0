/** `config.json` of language models in Hugging Face layout, old spelling and new, to the sizes that the models take. */
import { z } from "zod";
import { InputError } from "../base/errors.ts";
import { show } from "../base/one-line.ts";
import { parseWith } from "../base/parse-with.ts";
import type { LlamaConfig, RopeScaling } from "./llama.ts";
import type { OptConfig } from "./opt.ts";

export type LmConfig = LlamaConfig | OptConfig;

const count = z.int().min(1).max(100_000_000);

/** Other keys of these files are about sampling, dtypes and software versions. */
const parseLlama = parseWith(
  z.object({
    vocab_size: count,
    hidden_size: count,
    num_hidden_layers: count,
    num_attention_heads: count,
    num_key_value_heads: count.nullish(),
    head_dim: count.nullish(),
    intermediate_size: count,
    max_position_embeddings: count,
    rms_norm_eps: z.number().positive(),
    hidden_act: z.literal("silu"),
    tie_word_embeddings: z.boolean().nullish(),
    attention_bias: z.boolean().nullish(),
    mlp_bias: z.boolean().nullish(),
    sliding_window: z.null().optional(),
    rope_theta: z.number().positive().nullish(),
    rope_scaling: z.record(z.string(), z.unknown()).nullish(),
    rope_parameters: z.record(z.string(), z.unknown()).nullish(),
  }),
);

const parseOpt = parseWith(
  z.object({
    vocab_size: count,
    hidden_size: count,
    num_hidden_layers: count,
    num_attention_heads: count,
    ffn_dim: count,
    max_position_embeddings: count,
    word_embed_proj_dim: count.nullish(),
    activation_function: z.literal("relu"),
    do_layer_norm_before: z.literal(true),
    tie_word_embeddings: z.boolean().nullish(),
    _remove_final_layer_norm: z.literal(false).nullish(),
    enable_bias: z.literal(true).nullish(),
    layer_norm_elementwise_affine: z.literal(true).nullish(),
  }),
);

const parseKind = parseWith(z.object({ model_type: z.string() }));

/** @throws InputError naming every key that is missing or that asks for another kind of model. */
export function readLmConfig(json: unknown, where: string): LmConfig {
  const { model_type: kind } = parseKind(json, where);
  if (kind === "llama" || kind === "mistral") return llamaConfig(json, where);
  if (kind === "opt") return optConfig(json, where);
  throw new InputError(`${where}: expected model_type llama, mistral or opt, got ${show(kind)}. Use another model.`);
}

function llamaConfig(json: unknown, where: string): LlamaConfig {
  const c = parseLlama(json, where);
  const heads = c.num_attention_heads;
  const rope = c.rope_parameters ?? c.rope_scaling ?? {};
  const scaling = ropeScaling(rope, where);
  const config: LlamaConfig = {
    kind: "llama",
    vocabulary: c.vocab_size,
    width: c.hidden_size,
    tied: c.tie_word_embeddings ?? false,
    layers: c.num_hidden_layers,
    heads,
    kvHeads: c.num_key_value_heads ?? heads,
    headWidth: c.head_dim ?? c.hidden_size / heads,
    intermediate: c.intermediate_size,
    context: c.max_position_embeddings,
    eps: c.rms_norm_eps,
    ropeBase: c.rope_theta ?? numberOf(rope, "rope_theta", where, 10_000),
    ...(scaling && { ropeScaling: scaling }),
    attentionBias: c.attention_bias ?? false,
    mlpBias: c.mlp_bias ?? false,
  };
  if (config.headWidth % 2 !== 0)
    throw new InputError(`${where}: expected an even width of heads, got ${config.headWidth}.`);
  return config;
}

function ropeScaling(rope: Readonly<Record<string, unknown>>, where: string): RopeScaling | undefined {
  const kind = rope["rope_type"] ?? rope["type"] ?? "default";
  if (kind === "default") return undefined;
  const factor = numberOf(rope, "factor", where);
  if (kind === "linear") return { kind, factor };
  if (kind !== "llama3")
    throw new InputError(
      `${where}: expected rope_type default, linear or llama3, got ${show(kind)}. Use another model.`,
    );
  return {
    kind,
    factor,
    lowFactor: numberOf(rope, "low_freq_factor", where),
    highFactor: numberOf(rope, "high_freq_factor", where),
    originalContext: numberOf(rope, "original_max_position_embeddings", where),
  };
}

function numberOf(rope: Readonly<Record<string, unknown>>, key: string, where: string, fallback?: number): number {
  const value = rope[key] ?? fallback;
  if (typeof value === "number" && value > 0 && Number.isFinite(value)) return value;
  throw new InputError(`${where}: expected a positive number for ${key} of the rotary positions, got ${show(value)}.`);
}

function optConfig(json: unknown, where: string): OptConfig {
  const c = parseOpt(json, where);
  const [heads, width] = [c.num_attention_heads, c.hidden_size];
  if ((c.word_embed_proj_dim ?? width) !== width)
    throw new InputError(
      `${where}: expected word_embed_proj_dim ${width}, got ${c.word_embed_proj_dim}. Use another model.`,
    );
  return {
    kind: "opt",
    vocabulary: c.vocab_size,
    width,
    tied: c.tie_word_embeddings ?? true,
    layers: c.num_hidden_layers,
    heads,
    kvHeads: heads,
    headWidth: width / heads,
    intermediate: c.ffn_dim,
    context: c.max_position_embeddings,
  };
}

/** The `config.json` that transformers reads. */
export function writeLmConfig(config: LmConfig): Record<string, unknown> {
  const { vocabulary, addedTokens = 0, width, layers, heads, context, tied } = config;
  const sizes = {
    vocab_size: vocabulary + addedTokens,
    hidden_size: width,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    max_position_embeddings: context,
    tie_word_embeddings: tied,
  };
  if (config.kind === "opt")
    return {
      architectures: ["OPTForCausalLM"],
      model_type: "opt",
      ...sizes,
      ffn_dim: config.intermediate,
      word_embed_proj_dim: width,
      activation_function: "relu",
      do_layer_norm_before: true,
    };
  const { ropeScaling: scaling } = config;
  const llama3 = scaling?.kind === "llama3" && {
    low_freq_factor: scaling.lowFactor,
    high_freq_factor: scaling.highFactor,
    original_max_position_embeddings: scaling.originalContext,
  };
  return {
    architectures: ["LlamaForCausalLM"],
    model_type: "llama",
    ...sizes,
    num_key_value_heads: config.kvHeads,
    head_dim: config.headWidth,
    intermediate_size: config.intermediate,
    rms_norm_eps: config.eps,
    hidden_act: "silu",
    rope_theta: config.ropeBase,
    ...(scaling && { rope_scaling: { rope_type: scaling.kind, factor: scaling.factor, ...llama3 } }),
    attention_bias: config.attentionBias ?? false,
    mlp_bias: config.mlpBias ?? false,
  };
}
