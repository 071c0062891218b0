/** Llama-shaped models in GGUF files: config and weights, as a Hugging Face folder would hold them. */
import { CheckpointError, InputError } from "../base/errors.ts";
import { expectKnownKeys } from "../base/known-keys.ts";
import { quote, show } from "../base/one-line.ts";
import { languageModelWeights } from "../models/language-model.ts";
import type { LlamaConfig, RopeScaling } from "../models/llama.ts";
import type { GgufFile, GgufValue } from "./gguf.ts";
import { expectTensors } from "./match.ts";

/** Keys of `llama.*` that are read here, and those that change nothing. */
const KNOWN = new Set([
  ...["attention.head_count", "attention.head_count_kv", "attention.key_length", "attention.value_length"],
  ...["attention.layer_norm_rms_epsilon", "attention.sliding_window", "attention.causal", "block_count"],
  ...["context_length", "embedding_length", "expert_count", "expert_used_count", "feed_forward_length"],
  ...["rope.dimension_count", "rope.freq_base", "rope.scale_linear", "rope.scaling.factor", "rope.scaling.type"],
  ...["rope.scaling.finetuned", "rope.scaling.original_context_length", "tensor_data_layout", "vocab_size"],
]);

/** Sizes from the metadata. @throws InputError naming the key that is missing or asks for another kind of model. */
export function ggufLlamaConfig({ path, metadata, tensors }: GgufFile): LlamaConfig {
  const kind = metadata.get("general.architecture");
  if (kind !== "llama")
    throw new InputError(`${path}: expected the architecture llama, got ${show(kind)}. Use another model.`);
  if (Number(metadata.get("split.count") ?? 1) > 1)
    throw new InputError(
      `${path}: expected a whole model, got one of ${show(metadata.get("split.count"))} parts. Join them with gguf-split --merge.`,
    );
  const number = (key: string, fallback?: number): number => {
    const value = metadata.get(`llama.${key}`) ?? fallback;
    if (typeof value === "number" && Number.isFinite(value) && value > 0) return value;
    throw new InputError(`${path}: expected a positive number for llama.${key}, got ${show(value)}. Convert it again.`);
  };
  const expect = (key: string, fine: (value: GgufValue) => boolean, what: string): void => {
    const value = metadata.get(`llama.${key}`);
    if (value !== undefined && !fine(value))
      throw new InputError(`${path}: expected ${what}, got ${show(value)} as llama.${key}. Use another model.`);
  };
  const settings = [...metadata].filter(([key]) => key.startsWith("llama."));
  expectKnownKeys(settings, path, (key) => KNOWN.has(key.slice("llama.".length)));
  const [heads, width, context] = [
    number("attention.head_count"),
    number("embedding_length"),
    number("context_length"),
  ];
  const headWidth = number("attention.key_length", width / heads);
  expect("expert_count", (value) => value === 0, "a model without experts");
  expect("attention.causal", (value) => value === true, "causal attention");
  expect("attention.value_length", (value) => value === headWidth, `values as wide as keys, ${headWidth}`);
  expect("attention.sliding_window", (value) => value === 0 || Number(value) >= context, "attention to all tokens");
  expect("rope.dimension_count", (value) => value === headWidth, `heads rotated as a whole, ${headWidth} channels`);
  if (tensors.has("rope_freqs.weight"))
    throw new InputError(
      `${path}: expected plain rotary positions, got factors of frequencies. Use the Hugging Face folder.`,
    );
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
    context,
    eps: number("attention.layer_norm_rms_epsilon"),
    ropeBase: number("rope.freq_base", 10_000),
    ropeScaling: ropeScaling(metadata, number, path),
    attentionBias: tensors.has("blk.0.attn_q.bias"),
    mlpBias: tensors.has("blk.0.ffn_gate.bias"),
  };
}

/** As in llama.cpp: the kind is linear unless it is named, and an older key holds the factor where the newer is missing. */
function ropeScaling(
  metadata: GgufFile["metadata"],
  number: (key: string) => number,
  path: string,
): RopeScaling | undefined {
  const kind = metadata.get("llama.rope.scaling.type") ?? "linear";
  if (kind === "none") return undefined;
  if (kind !== "linear")
    throw new InputError(
      `${path}: expected rotary positions of the kind none or linear, got ${show(kind)}. Use the Hugging Face folder.`,
    );
  const key = ["rope.scaling.factor", "rope.scale_linear"].find((name) => metadata.has(`llama.${name}`));
  const factor = key === undefined || metadata.get(`llama.${key}`) === 0 ? 1 : number(key); // 0 is llama.cpp's "not set"
  return factor === 1 ? undefined : { kind, factor };
}

/** @throws CheckpointError naming every tensor that is missing, misshaped or not part of the model */
export function expectGgufLlama({ path, tensors }: GgufFile, config: LlamaConfig): void {
  const named = new Map([...tensors].map(([name, info]) => [ggufToHuggingFace(name) ?? name, info]));
  expectTensors({ path, tensors: named }, languageModelWeights(config));
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

/** Hugging Face's name of a tensor; undefined if the model has no such tensor. */
export function ggufToHuggingFace(name: string): string | undefined {
  const [, layer, inner = "", kind] = /^(?:blk\.(\d+)\.)?(\w+)\.(weight|bias)$/.exec(name) ?? [];
  const path = (layer === undefined ? TOP_NAMES : LAYER_NAMES)[inner];
  return path && `${layer === undefined ? "" : `model.layers.${layer}.`}${path}.${kind}`;
}

/** The inverse of `ggufToHuggingFace`. */
export function huggingFaceToGguf(name: string): string | undefined {
  const top = Object.entries(TOP_NAMES).find(([, path]) => name.startsWith(`${path}.`));
  if (top) return name.replace(top[1], top[0]);
  const [, layer, path, kind] = /^model\.layers\.(\d+)\.(.+)\.(weight|bias)$/.exec(name) ?? [];
  const inner = Object.entries(LAYER_NAMES).find(([, own]) => own === path)?.[0];
  return inner && `blk.${layer}.${inner}.${kind}`;
}

/** The numbers of a weight by its Hugging Face name. */
export async function readGgufLlama(file: GgufFile, name: string, config: LlamaConfig): Promise<Float32Array> {
  return inOrder(await file.readFloat32(storedName(file, name)), name, config);
}

/** The stored bytes of a weight, its rows in the order of Hugging Face, and the name of their format. */
export async function readGgufLlamaBytes(
  file: GgufFile,
  name: string,
  config: LlamaConfig,
): Promise<{ type: string; bytes: Uint8Array }> {
  const stored = storedName(file, name);
  return { type: file.tensors.get(stored)!.type, bytes: inOrder(await file.readBytes(stored), name, config) };
}

function storedName(file: GgufFile, name: string): string {
  const stored = huggingFaceToGguf(name);
  if (stored && file.tensors.has(stored)) return stored;
  throw new CheckpointError(`${file.path}: expected a tensor for ${quote(name)}, found none.`);
}

/**
 * llama.cpp rotates neighboring channels of a head where transformers rotates its halves, so the converter interleaved the
 * rows of queries and keys; this undoes it. data: the numbers of all rows, or their bytes.
 */
function inOrder<T extends Float32Array | Uint8Array>(data: T, name: string, config: LlamaConfig): T {
  if (/\.q_proj\./.test(name)) return unweaveHeads(data, config.heads, config.headWidth);
  if (/\.k_proj\./.test(name)) return unweaveHeads(data, config.kvHeads, config.headWidth);
  return data;
}

/** Row 2 i + half of each head becomes row half Dh/2 + i. */
function unweaveHeads<T extends Float32Array | Uint8Array>(data: T, heads: number, headWidth: number): T {
  const width = data.length / (heads * headWidth);
  const out = data.slice() as T;
  for (let row = 0; row < heads * headWidth; row++) {
    const [head, channel] = [Math.floor(row / headWidth), row % headWidth];
    const to = head * headWidth + (channel % 2) * (headWidth / 2) + Math.floor(channel / 2);
    out.set(data.subarray(row * width, (row + 1) * width), to * width);
  }
  return out;
}
