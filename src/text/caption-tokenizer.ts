/** Captions as ids for the text encoder and the Q-Former: whole words, from a Hugging Face `tokenizer.json`. */
import { InputError } from "../base/errors.ts";
import { show } from "../base/one-line.ts";

/** Special tokens of our word-level tokenizer, ids 0..3. */
export const SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"] as const;

export interface EncodedCaptions {
  /** i32 [B,L]: [CLS] words [SEP] [PAD]... */
  readonly ids: Int32Array;
  /** i32 [B,L], 1 = token, 0 = padding. */
  readonly mask: Int32Array;
  /** i32 [B]: position of [SEP]. */
  readonly end: Int32Array;
}

/** The content of a tokenizer.json whose tokens are whole words, and runs of other characters. */
export function wordLevelTokenizer(words: Iterable<string>): Record<string, unknown> {
  const vocabulary = [...SPECIALS, ...[...new Set(words)].sort()];
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: SPECIALS.map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: { type: "Lowercase" },
    pre_tokenizer: { type: "Whitespace" },
    post_processor: null,
    decoder: null,
    model: { type: "WordLevel", vocab: Object.fromEntries(vocabulary.map((w, i) => [w, i])), unk_token: "[UNK]" },
  };
}

/**
 * Words, and runs of other characters, as the pre-tokenizer `Whitespace` splits them: Unicode's letters, marks, digits and
 * connectors form words, so that "café" is one. (The JavaScript library splits there, the Python library does not.)
 */
const WORD = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}";
const PIECES = new RegExp(`[${WORD}]+|[^${WORD}\\s]+`, "gu");

/** The pieces of a text, in lower case, as the tokenizer above splits them. */
export function splitWords(text: string): string[] {
  return text.toLowerCase().match(PIECES) ?? [];
}

export class CaptionTokenizer {
  readonly size: number;
  readonly #vocabulary: ReadonlyMap<string, number>;
  readonly json: Record<string, unknown>;

  /** @param json parsed tokenizer.json @throws InputError if it is not of the kind described above. */
  constructor(json: Record<string, unknown>) {
    const model = json["model"] as { type?: string; vocab?: Record<string, number> } | undefined;
    if (model?.type !== "WordLevel" || typeof model.vocab !== "object")
      throw new InputError(`tokenizer.json: expected a WordLevel model, got ${model?.type ?? "none"}.`);
    for (const [key, kind] of Object.entries({ normalizer: "Lowercase", pre_tokenizer: "Whitespace" })) {
      const found = (json[key] as { readonly type?: unknown } | null | undefined)?.type;
      if (found !== kind) throw new InputError(`tokenizer.json: expected ${kind} as ${key}, got ${show(found)}.`);
    }
    this.json = json;
    this.#vocabulary = new Map(Object.entries(model.vocab));
    for (const [id, token] of SPECIALS.entries())
      if (this.#vocabulary.get(token) !== id)
        throw new InputError(`tokenizer.json: expected ${token} as id ${id}, got ${this.#vocabulary.get(token)}.`);
    this.size = this.#vocabulary.size;
  }

  /** Captions truncated and padded to `length` tokens; unknown words are [UNK]. */
  encode(captions: readonly string[], length: number): EncodedCaptions {
    const ids = new Int32Array(captions.length * length);
    const mask = new Int32Array(ids.length);
    const end = new Int32Array(captions.length);
    for (const [b, caption] of captions.entries()) {
      const words = this.#words(caption).slice(0, length - 2);
      const row = [2, ...words, 3];
      ids.set(row, b * length);
      mask.fill(1, b * length, b * length + row.length);
      end[b] = row.length - 1;
    }
    return { ids, mask, end };
  }

  #words(caption: string): number[] {
    return splitWords(caption).map((word) => this.#vocabulary.get(word) ?? 1);
  }

  /** Number of tokens of a caption, including the special ones. */
  length(caption: string): number {
    return splitWords(caption).length + 2;
  }
}
