/** Tokenizers of GGUF files, as the tokenizer.json that they were made from. */
import { InputError } from "../base/errors.ts";
import { expectKnownKeys } from "../base/known-keys.ts";
import { show } from "../base/one-line.ts";
import { exists } from "../io/files.ts";
import { readJsonFile } from "../io/json-file.ts";
import { dirname, join } from "../io/paths.ts";
import type { GgufFile, GgufValue } from "./gguf.ts";

type Json = Readonly<Record<string, unknown>>;

const MAX_TOKENIZER_BYTES = 100e6;

/** How text is split before merging, by `tokenizer.ggml.pre`. */
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

/** Keys that are read here, and those that change nothing: scores and prefixes matter only to other kinds of tokenizers. */
const KNOWN = new Set([
  ...["model", "pre", "tokens", "token_type", "token_type_count", "merges", "scores", "add_bos_token", "add_eos_token"],
  ...["add_sep_token", "add_space_prefix", "remove_extra_whitespaces", "precompiled_charsmap"],
]);

const CONTROL = 3;
const USER_DEFINED = 4;

/** The contents of tokenizer.json and tokenizer_config.json. */
export interface GgufTokenizer {
  readonly json: Json;
  /** The texts of the special tokens, among others. */
  readonly config: Json;
}

/**
 * The tokenizer of a GGUF file: the one in its metadata, or, if that is of another kind, the tokenizer.json next to the file,
 * with its tokenizer_config.json if there is one.
 * @throws InputError if there is neither, or the file next to it is of another model
 */
export async function openGgufTokenizer(file: Pick<GgufFile, "path" | "metadata">): Promise<GgufTokenizer> {
  const path = join(dirname(file.path), "tokenizer.json");
  try {
    return ggufTokenizer(file);
  } catch (error) {
    if (!(await exists(path))) throw error;
  }
  const json = (await readJsonFile(path, MAX_TOKENIZER_BYTES)) as Json;
  expectSameTokens(file, json, path);
  const configPath = join(dirname(file.path), "tokenizer_config.json");
  const config = (await exists(configPath)) ? ((await readJsonFile(configPath, MAX_TOKENIZER_BYTES)) as Json) : {};
  return { json, config };
}

/** A converter may rename a few tokens; those of another tokenizer differ nearly everywhere. */
function expectSameTokens({ metadata }: Pick<GgufFile, "metadata">, json: Json, where: string): void {
  const tokens = metadata.get("tokenizer.ggml.tokens");
  if (!Array.isArray(tokens)) return;
  const model = json["model"] as { readonly vocab?: unknown } | null | undefined;
  const vocab = typeof model?.vocab === "object" && model.vocab !== null ? model.vocab : {};
  const ids: [unknown, number][] = Array.isArray(vocab)
    ? vocab.map((piece: unknown, id) => [Array.isArray(piece) ? piece[0] : piece, id]) // Unigram: [piece, score]
    : Object.entries(vocab as Record<string, number>);
  const same = ids.filter(([token, id]) => tokens[id] === token).length;
  if (same < 0.9 * ids.length || ids.length === 0)
    throw new InputError(
      `${where}: expected the tokens of the .gguf file next to it, of ${ids.length} only ${same} are the same. Copy the model's own tokenizer.json.`,
    );
}

/** The byte-level BPE tokenizer in the metadata. @throws InputError for another kind, or lists that do not match. */
export function ggufTokenizer({ path, metadata }: Pick<GgufFile, "path" | "metadata">): GgufTokenizer {
  const key = (name: string): GgufValue | undefined => metadata.get(`tokenizer.ggml.${name}`);
  const list = (name: string, kind: "string" | "number"): unknown[] => {
    const value = key(name);
    if (Array.isArray(value) && value.every((item) => typeof item === kind)) return value;
    throw new InputError(`${path}: expected a list of ${kind}s as tokenizer.ggml.${name}, got ${show(value)}.`);
  };
  if (key("model") !== "gpt2")
    throw new InputError(
      `${path}: expected a byte-level BPE tokenizer (gpt2), got ${show(key("model"))}. Put the model's tokenizer.json next to the file.`,
    );
  const own = [...metadata].filter(([name]) => name.startsWith("tokenizer.ggml."));
  expectKnownKeys(own, path, (name) => /_token_ids?$/.test(name) || KNOWN.has(name.slice("tokenizer.ggml.".length)));
  const pre = key("pre") ?? "gpt-2";
  const preTokenizer = typeof pre === "string" ? PRE_TOKENIZERS[pre] : undefined;
  if (!preTokenizer)
    throw new InputError(
      `${path}: expected tokenizer.ggml.pre ${Object.keys(PRE_TOKENIZERS).join(", ")}, got ${show(pre)}. Put the model's tokenizer.json next to the file.`,
    );
  const tokens = list("tokens", "string") as string[];
  const merges = list("merges", "string") as string[];
  const types = list("token_type", "number") as number[];
  if (types.length !== tokens.length)
    throw new InputError(`${path}: expected ${tokens.length} token types, got ${types.length}. Convert it again.`);
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
      // As in llama.cpp: a word of Llama 3's vocabulary is one token, whatever its merges give.
      ignore_merges: pre === "llama-bpe",
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
