/** Llama-shaped models in GGUF files, turned into what a Hugging Face folder would hold: config, weights, tokenizer. */
import { CheckpointError, InputError } from "../base/errors.ts";
import { quote, show } from "../base/one-line.ts";
import type { LlamaConfig } from "../models/llama.ts";
import type { GgufFile, GgufValue } from "./gguf.ts";

/** Sizes from the metadata. @throws InputError naming the key that is missing or asks for another kind of model. */
export function ggufLlamaConfig({ path, metadata, tensors }: GgufFile): LlamaConfig {
  const kind = metadata.get("general.architecture");
  if (kind !== "llama")
    throw new InputError(`${path}: expected the architecture llama, got ${show(kind)}. Use another model.`);
  const number = (key: string, fallback?: number): number => {
    const value = metadata.get(`llama.${key}`) ?? fallback;
    if (typeof value === "number" && Number.isFinite(value) && value > 0) return value;
    throw new InputError(`${path}: expected a positive number for llama.${key}, got ${show(value)}. Convert it again.`);
  };
  if (tensors.has("rope_freqs.weight") || metadata.has("llama.rope.scaling.factor"))
    throw new InputError(`${path}: expected plain rotary positions, got scaled ones. Use the Hugging Face folder.`);
  if (metadata.has("llama.expert_count") && metadata.get("llama.expert_count") !== 0)
    throw new InputError(`${path}: expected a model without experts, got some. Use another model.`);
  const [heads, width] = [number("attention.head_count"), number("embedding_length")];
  const headWidth = number("attention.key_length", width / heads);
  if (number("rope.dimension_count", headWidth) !== headWidth)
    throw new InputError(`${path}: expected heads that turn as a whole, got a part of them. Use another model.`);
  return {
    kind: "llama",
    vocabulary: tensors.get("token_embd.weight")?.shape[0] ?? number("vocab_size"),
    width,
    tied: !tensors.has("output.weight"),
    layers: number("block_count"),
    heads,
    kvHeads: number("attention.head_count_kv", heads),
    headWidth,
    intermediate: number("feed_forward_length"),
    context: number("context_length"),
    eps: number("attention.layer_norm_rms_epsilon"),
    ropeBase: number("rope.freq_base", 10_000),
    attentionBias: tensors.has("blk.0.attn_q.bias"),
  };
}

const LAYER_NAMES: Readonly<Record<string, string>> = {
  attn_q: "self_attn.q_proj",
  attn_k: "self_attn.k_proj",
  attn_v: "self_attn.v_proj",
  attn_output: "self_attn.o_proj",
  ffn_gate: "mlp.gate_proj",
  ffn_up: "mlp.up_proj",
  ffn_down: "mlp.down_proj",
  attn_norm: "input_layernorm",
  ffn_norm: "post_attention_layernorm",
};

const TOP_NAMES: Readonly<Record<string, string>> = {
  token_embd: "model.embed_tokens",
  output_norm: "model.norm",
  output: "lm_head",
};

/** Hugging Face's name of a tensor, or undefined if the model has none such. */
export function ggufToHuggingFace(name: string): string | undefined {
  const top = /^(\w+)\.(weight|bias)$/.exec(name);
  if (top) return TOP_NAMES[top[1]!] && `${TOP_NAMES[top[1]!]}.${top[2]}`;
  const layer = /^blk\.(\d+)\.(\w+)\.(weight|bias)$/.exec(name);
  const inner = layer ? LAYER_NAMES[layer[2]!] : undefined;
  return inner && `model.layers.${layer![1]}.${inner}.${layer![3]}`;
}

/** The other way round. */
export function huggingFaceToGguf(name: string): string | undefined {
  const top = Object.entries(TOP_NAMES).find(([, hf]) => name.startsWith(`${hf}.`));
  if (top) return name.replace(top[1], top[0]);
  const layer = /^model\.layers\.(\d+)\.(.+)\.(weight|bias)$/.exec(name);
  const inner = layer ? Object.entries(LAYER_NAMES).find(([, hf]) => hf === layer[2]) : undefined;
  return inner && `blk.${layer![1]}.${inner[0]}.${layer![3]}`;
}

/**
 * The numbers of a weight by its Hugging Face name. llama.cpp turns neighboring channels of a head together where
 * transformers turns its halves, so the converter has interleaved the rows of queries and keys; here they go back.
 */
export async function readGgufLlama(file: GgufFile, name: string, config: LlamaConfig): Promise<Float32Array> {
  const stored = huggingFaceToGguf(name);
  if (!stored || !file.tensors.has(stored))
    throw new CheckpointError(`${file.path}: expected a tensor for ${quote(name)}, found none.`);
  const data = await file.readFloat32(stored);
  if (/\.q_proj\./.test(name)) return unweaveHeads(data, config.heads, config.headWidth);
  if (/\.k_proj\./.test(name)) return unweaveHeads(data, config.kvHeads, config.headWidth);
  return data;
}

/** Row 2 i + half of each head becomes row half Dh/2 + i. */
function unweaveHeads(data: Float32Array, heads: number, headWidth: number): Float32Array {
  const width = data.length / (heads * headWidth);
  const out = new Float32Array(data.length);
  for (let row = 0; row < heads * headWidth; row++) {
    const [head, channel] = [Math.floor(row / headWidth), row % headWidth];
    const to = head * headWidth + (channel % 2) * (headWidth / 2) + Math.floor(channel / 2);
    out.set(data.subarray(row * width, (row + 1) * width), to * width);
  }
  return out;
}

/** How text is cut before merging, by `tokenizer.ggml.pre`. */
const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };
const split = (pattern: string): unknown => ({
  type: "Sequence",
  pretokenizers: [
    { type: "Split", pattern: { Regex: pattern }, behavior: "Isolated", invert: false },
    { ...byteLevel, use_regex: false },
  ],
});
const WORDS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+";
const REST = " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const PRE_TOKENIZERS: Readonly<Record<string, unknown>> = {
  "gpt-2": byteLevel,
  smollm: { type: "Sequence", pretokenizers: [{ type: "Digits", individual_digits: true }, byteLevel] },
  "llama-bpe": split(`${WORDS}|\\p{N}{1,3}|${REST}`),
  qwen2: split(`${WORDS}|\\p{N}|${REST}`),
};

const CONTROL = 3;
const USER_DEFINED = 4;

/** A tokenizer.json and the ids that matter. */
export interface GgufTokenizer {
  readonly json: Record<string, unknown>;
  /** As in tokenizer_config.json: the texts of the special tokens. */
  readonly config: Record<string, unknown>;
}

/** The byte-level BPE tokenizer in the metadata. @throws InputError for another kind, or lists that do not fit. */
export function ggufTokenizer({ path, metadata }: GgufFile): GgufTokenizer {
  const key = (name: string): GgufValue | undefined => metadata.get(`tokenizer.ggml.${name}`);
  const list = (name: string, kind: "string" | "number"): unknown[] => {
    const value = key(name);
    if (Array.isArray(value) && value.every((item) => typeof item === kind)) return value;
    throw new InputError(`${path}: expected a list of ${kind}s as tokenizer.ggml.${name}, got ${show(value)}.`);
  };
  if (key("model") !== "gpt2")
    throw new InputError(
      `${path}: expected a byte-level BPE tokenizer (gpt2), got ${show(key("model"))}. Put tokenizer.json beside the file.`,
    );
  const pre = key("pre") ?? "gpt-2";
  const preTokenizer = typeof pre === "string" ? PRE_TOKENIZERS[pre] : undefined;
  if (!preTokenizer)
    throw new InputError(
      `${path}: expected tokenizer.ggml.pre ${Object.keys(PRE_TOKENIZERS).join(", ")}, got ${show(pre)}. Put tokenizer.json beside the file.`,
    );
  const tokens = list("tokens", "string") as string[];
  const merges = list("merges", "string") as string[];
  const types = list("token_type", "number") as number[];
  if (types.length !== tokens.length)
    throw new InputError(
      `${path}: expected ${tokens.length} token types, got ${types.length}. Convert the file again.`,
    );
  const added = tokens.flatMap((content, id) => {
    const type = types[id];
    if (type !== CONTROL && type !== USER_DEFINED) return [];
    const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false };
    return [{ id, content, ...flags, special: type === CONTROL }];
  });
  const special = (name: string): string | null => {
    const id = key(`${name}_token_id`);
    return typeof id === "number" ? (tokens[id] ?? null) : null;
  };
  const json = {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: added,
    normalizer: null,
    pre_tokenizer: preTokenizer,
    post_processor: null,
    decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges,
    },
  };
  const config = {
    bos_token: special("bos"),
    eos_token: special("eos"),
    unk_token: special("unknown"),
    pad_token: special("padding"),
    add_bos_token: key("add_bos_token") === true,
    clean_up_tokenization_spaces: false,
  };
  return { json, config };
}
