import { describe, expect, it } from "vitest";
import { type LmConfig, readLmConfig, writeLmConfig } from "./lm-config.ts";

/** SmolLM2-135M's. */
const llama = {
  architectures: ["LlamaForCausalLM"],
  model_type: "llama",
  vocab_size: 49152,
  hidden_size: 576,
  num_hidden_layers: 30,
  num_attention_heads: 9,
  num_key_value_heads: 3,
  intermediate_size: 1536,
  max_position_embeddings: 8192,
  rms_norm_eps: 1e-5,
  hidden_act: "silu",
  tie_word_embeddings: true,
  rope_theta: 100000,
  rope_scaling: null,
  torch_dtype: "bfloat16",
};

const opt = {
  model_type: "opt",
  vocab_size: 50272,
  hidden_size: 2560,
  num_hidden_layers: 32,
  num_attention_heads: 32,
  ffn_dim: 10240,
  max_position_embeddings: 2048,
  activation_function: "relu",
  do_layer_norm_before: true,
};

const llama3 = {
  rope_type: "llama3",
  factor: 8,
  low_freq_factor: 1,
  high_freq_factor: 4,
  original_max_position_embeddings: 8192,
};

describe("config.json of language models", () => {
  it("Llama", () => {
    expect(readLmConfig(llama, "c")).toEqual({
      ...{ kind: "llama", vocabulary: 49152, width: 576, tied: true, layers: 30, heads: 9, kvHeads: 3, headWidth: 64 },
      ...{ intermediate: 1536, context: 8192, eps: 1e-5, ropeBase: 100000, attentionBias: false, mlpBias: false },
    });
  });

  it("OPT", () => {
    expect(readLmConfig(opt, "c")).toEqual({
      ...{ kind: "opt", vocabulary: 50272, width: 2560, tied: true, layers: 32, heads: 32, kvHeads: 32, headWidth: 80 },
      ...{ intermediate: 10240, context: 2048 },
    });
  });

  it("rotary settings in the old spelling and the new", () => {
    const { rope_theta: _, ...rest } = llama;
    const old = readLmConfig({ ...llama, rope_scaling: llama3 }, "c");
    expect(readLmConfig({ ...rest, rope_parameters: { ...llama3, rope_theta: 100000 } }, "c")).toEqual(old);
    expect(old).toMatchObject({ ropeScaling: { kind: "llama3", factor: 8, originalContext: 8192 } });
    const linear = { rope_scaling: { type: "linear", factor: 2 } };
    expect(readLmConfig({ ...llama, ...linear }, "c")).toMatchObject({ ropeScaling: { kind: "linear", factor: 2 } });
  });

  it("is written so that it reads back, with the added tokens in the vocabulary", () => {
    for (const json of [llama, opt, { ...llama, rope_scaling: llama3, attention_bias: true, head_dim: 32 }]) {
      const config = readLmConfig(json, "c");
      expect(readLmConfig(writeLmConfig(config), "c")).toEqual(config);
      const more: LmConfig = { ...config, addedTokens: 8194 };
      expect(readLmConfig(writeLmConfig(more), "c").vocabulary).toBe(config.vocabulary + 8194);
    }
  });

  it("keys that change no logits are passed over", () => {
    const notes = { temperature: 0.6, pretraining_tp: 1, sliding_window: 8192, new_flag: false, new_kind: null };
    const more = { ...notes, initializer_range: 0.02, layer_types: ["full_attention"], rope_interleaved: false };
    expect(readLmConfig({ ...llama, ...more }, "c")).toEqual(readLmConfig(llama, "c"));
  });

  it.each<[object, string]>([
    [
      { ...llama, model_type: "gemma" },
      'c: expected model_type llama, mistral or opt, got "gemma". Use another model.',
    ],
    [{ ...llama, hidden_act: "gelu" }, "c: hidden_act"],
    [{ ...llama, sliding_window: 4096 }, "c: expected attention to all 8192 tokens, got sliding_window 4096."],
    [{ ...llama, layer_types: ["sliding_attention"] }, "c: layer_types"],
    [{ ...llama, rope_interleaved: true }, "c: rope_interleaved"],
    [{ ...llama, logit_scale: 2 }, 'c: expected known settings, got "logit_scale" = 2.'],
    [{ ...llama, quantization_config: { bits: 4 } }, 'got "quantization_config" = an object'],
    [{ ...llama, num_key_value_heads: 4 }, "c: expected heads that 4 key-value heads divide, got 9."],
    [{ ...opt, num_attention_heads: 33 }, "c: expected a width that 33 heads divide, got 2560."],
    [{ ...opt, logit_scale: 2 }, 'c: expected known settings, got "logit_scale" = 2.'],
    [
      { ...llama, rope_scaling: { rope_type: "linear", factor: 2, attention_factor: 0.5 } },
      'c: rotary positions: expected known settings, got "attention_factor" = 0.5.',
    ],
    [{ ...llama, hidden_size: undefined }, "c: hidden_size"],
    [{ ...llama, hidden_size: 9 * 63 }, "c: expected an even width of heads, got 63."],
    [
      { ...llama, rope_scaling: { rope_type: "yarn", factor: 2 } },
      'c: expected rope_type default, linear or llama3, got "yarn".',
    ],
    [
      { ...llama, rope_scaling: { rope_type: "linear" } },
      "c: expected a positive number for factor of the rotary positions",
    ],
    [{ ...opt, do_layer_norm_before: false }, "c: do_layer_norm_before"],
    [{ ...opt, word_embed_proj_dim: 512 }, "c: expected word_embed_proj_dim 2560, got 512. Use another model."],
  ])("refuses %# by its key", (json, message) => expect(() => readLmConfig(json, "c")).toThrow(message));
});
