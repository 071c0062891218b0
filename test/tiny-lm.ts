/** A byte-level tokenizer of a few letters with the tokens of four codes, and models that are functions of what was said. */
import type { TokenModel } from "../src/language/generation/index.ts";
import type { TokenState } from "../src/language/generation/token-model.ts";
import { type ImageTokens, LmTokenizer, withImageTokens } from "../src/text/index.ts";

const SPECIALS = ["<s>", "</s>", "<|im_start|>", "<|im_end|>"];
/** As byte-level BPE spells them: Ġ is a space, Ċ a line end, and the last two are the bytes of é. */
const LETTERS = [..."abcdefghijklmnopqrstuvwxyzUSERAITN:?.<>_/|0123456789", "Ġ", "Ċ", "Ã", "©"];
const MERGES = ["c a", "ca t", "Ġ t"];

export const TINY_TOKENIZER_CODES = 40;

/** The content of tokenizer.json without tokens of pictures. */
export function tinyTokenizerJson(): Record<string, unknown> {
  const tokens = [...SPECIALS, ...LETTERS, ...MERGES.map((pair) => pair.replace(" ", ""))];
  const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
  return {
    added_tokens: SPECIALS.map((content, id) => ({ id, content, ...flags })),
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: null,
    decoder: byteLevel,
    model: { type: "BPE", vocab: Object.fromEntries(tokens.map((t, id) => [t, id])), merges: MERGES, unk_token: null },
  };
}

const CONFIG = { bos_token: "<s>", eos_token: { content: "</s>" } };

export function plainTokenizer(): LmTokenizer {
  return new LmTokenizer(tinyTokenizerJson(), CONFIG);
}

export function tinyTokenizer(): LmTokenizer & { readonly image: ImageTokens } {
  const firstId = plainTokenizer().size;
  const json = withImageTokens(tinyTokenizerJson(), { codes: TINY_TOKENIZER_CODES, firstId });
  return new LmTokenizer(json, CONFIG) as LmTokenizer & { readonly image: ImageTokens };
}

/** A model whose logits are a function of a whole sequence. */
export function functionModel(logits: (ids: readonly number[]) => Float32Array, context = 1000): TokenModel {
  return { context, start: () => new FunctionState(logits) };
}

class FunctionState implements TokenState {
  readonly #logits: (ids: readonly number[]) => Float32Array;
  #sequences: (readonly number[])[] = [];

  constructor(logits: (ids: readonly number[]) => Float32Array) {
    this.#logits = logits;
  }

  async read(tokens: readonly (readonly number[])[], parents?: readonly number[]): Promise<Float32Array[]> {
    this.#sequences = tokens.map((own, i) => [...(this.#sequences[parents?.[i] ?? i] ?? []), ...own]);
    return this.#sequences.map(this.#logits);
  }

  async join(other: TokenState, own: readonly number[], others: readonly number[]): Promise<void> {
    const chosen = (state: FunctionState, rows: readonly number[]): (readonly number[])[] =>
      rows.map((row) => state.#sequences[row] ?? []);
    this.#sequences = [...chosen(this, own), ...chosen(other as FunctionState, others)];
  }
}

/** A model that says these ids one after the other, however the prompt ends; then always the last of them. */
export function scriptedModel(ids: readonly number[], size: number, context = 1000): TokenModel {
  let prompt: number | undefined;
  return functionModel((sequence) => {
    prompt ??= sequence.length;
    const logits = new Float32Array(size).fill(-5);
    logits[ids[Math.min(sequence.length - prompt, ids.length - 1)]!] = 5;
    return logits;
  }, context);
}
