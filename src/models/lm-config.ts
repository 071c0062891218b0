/** `config.json` of language models in Hugging Face layout, old spelling or new -> the sizes that our models take. */
import { z } from "zod";
import { InputError } from "../base/errors.ts";
import { expectKnownKeys } from "../base/known-keys.ts";
import { show } from "../base/one-line.ts";
import { parseWith } from "../base/parse-with.ts";
import type { LlamaConfig, RopeScaling } from "./llama.ts";
import type { OptConfig } from "./opt.ts";

export type LmConfig = LlamaConfig | OptConfig;

const count = z.int().min(1).max(100_000_000);

const llamaSchema = z.object({
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
  sliding_window: count.nullish(),
  layer_types: z.array(z.literal("full_attention")).nullish(),
  partial_rotary_factor: z.literal(1).nullish(),
  rope_interleaved: z.literal(false).nullish(),
  rope_theta: z.number().positive().nullish(),
  rope_scaling: z.record(z.string(), z.unknown()).nullish(),
  rope_parameters: z.record(z.string(), z.unknown()).nullish(),
});

const optSchema = z.object({
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
});

/** Keys about training, sampling, dtypes and software versions: they do not change the logits. */
const NOTES = new Set([
  ...["_name_or_path", "architectures", "model_type", "torch_dtype", "dtype", "transformers_version", "use_cache"],
  ...["bos_token_id", "eos_token_id", "pad_token_id", "unk_token_id", "sep_token_id", "cls_token_id", "mask_token_id"],
  ...[
    "decoder_start_token_id",
    "tokenizer_class",
    "prefix",
    "_commit_hash",
    "_attn_implementation",
    "attn_implementation",
  ],
  ...["_attn_implementation_autoset", "is_decoder", "is_llama_config", "unsloth_version", "unsloth_fixed"],
  ...["transformers.js_config", "pretraining_tp", "max_sequence_length", "initializer_range", "init_std"],
  ...["attention_dropout", "hidden_dropout", "dropout", "activation_dropout", "layerdrop", "resid_pdrop", "embd_pdrop"],
  ...["gradient_checkpointing", "output_attentions", "output_hidden_states", "return_dict", "use_return_dict"],
  ...["torchscript", "use_bfloat16", "tf_legacy_loss", "chunk_size_feed_forward", "task_specific_params"],
  ...["id2label", "label2id", "problem_type", "finetuning_task"],
  // Generation settings, as older files hold them.
  ...["temperature", "top_k", "top_p", "typical_p", "do_sample", "max_length", "max_new_tokens", "min_length"],
  ...["num_beams", "num_beam_groups", "diversity_penalty", "repetition_penalty", "length_penalty", "early_stopping"],
  ...["no_repeat_ngram_size", "encoder_no_repeat_ngram_size", "bad_words_ids", "num_return_sequences"],
  ...["return_dict_in_generate", "output_scores", "forced_bos_token_id", "forced_eos_token_id", "suppress_tokens"],
  ...["begin_suppress_tokens", "remove_invalid_values", "exponential_decay_length_penalty"],
]);

const parseLlama = parseWith(llamaSchema);
const parseOpt = parseWith(optSchema);

const parseKind = parseWith(z.object({ model_type: z.string() }));

/** @throws InputError naming every key that is missing, unknown, or asks for another kind of model. */
export function readLmConfig(json: unknown, where: string): LmConfig {
  const { model_type: kind } = parseKind(json, where);
  if (kind === "llama" || kind === "mistral") return llamaConfig(json, where);
  if (kind === "opt") return optConfig(json, where);
  throw new InputError(`${where}: expected model_type llama, mistral or opt, got ${show(kind)}. Use another model.`);
}

function llamaConfig(json: unknown, where: string): LlamaConfig {
  const c = parseLlama(json, where);
  expectKnownKeys(Object.entries(json as object), where, (key) => key in llamaSchema.shape || NOTES.has(key));
  const [heads, context] = [c.num_attention_heads, c.max_position_embeddings];
  if ((c.sliding_window ?? context) < context)
    throw new InputError(
      `${where}: expected attention to all ${context} tokens, got sliding_window ${c.sliding_window}. Use another model.`,
    );
  const rope = c.rope_parameters ?? c.rope_scaling ?? {};
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
    context,
    eps: c.rms_norm_eps,
    ropeBase: numberOf(rope, "rope_theta", where, c.rope_theta ?? 10_000),
    ropeScaling: ropeScaling(rope, where),
    attentionBias: c.attention_bias ?? false,
    mlpBias: c.mlp_bias ?? false,
  };
  if (config.headWidth % 2 !== 0)
    throw new InputError(`${where}: expected an even width of heads, got ${config.headWidth}. Check config.json.`);
  if (heads % config.kvHeads !== 0)
    throw new InputError(
      `${where}: expected heads that ${config.kvHeads} key-value heads divide, got ${heads}. Check config.json.`,
    );
  return config;
}

/** Keys of each kind besides the base. Files of the kinds default and linear may also record the context of pretraining. */
const ROPE_KEYS: Readonly<Record<string, readonly string[]>> = {
  default: ["original_max_position_embeddings"],
  linear: ["factor", "original_max_position_embeddings"],
  llama3: ["factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"],
};

function ropeScaling(rope: Readonly<Record<string, unknown>>, where: string): RopeScaling | undefined {
  const kind = rope["rope_type"] ?? rope["type"] ?? "default";
  const own = typeof kind === "string" && Object.hasOwn(ROPE_KEYS, kind) ? ROPE_KEYS[kind] : undefined;
  if (!own)
    throw new InputError(
      `${where}: expected rope_type default, linear or llama3, got ${show(kind)}. Use another model.`,
    );
  const known = ["rope_type", "type", "rope_theta", ...own];
  expectKnownKeys(Object.entries(rope), `${where}: rotary positions`, (key) => known.includes(key));
  if (kind === "default") return undefined;
  const factor = numberOf(rope, "factor", where);
  if (kind === "linear") return { kind, factor };
  return {
    kind: "llama3",
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
  expectKnownKeys(Object.entries(json as object), where, (key) => key in optSchema.shape || NOTES.has(key));
  const [heads, width] = [c.num_attention_heads, c.hidden_size];
  if (width % heads !== 0)
    throw new InputError(`${where}: expected a width that ${heads} heads divide, got ${width}. Check config.json.`);
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
