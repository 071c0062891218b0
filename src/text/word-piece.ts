/**
 * BERT's tokenizer, from the tokenizer.json of bert-base-uncased: the text side of BLIP-2 and of SEED's stage 1 reads it.
 * Captions are cleaned as in their training (LAVIS' `blip_caption` processor).
 */
import { Tokenizer } from "@huggingface/tokenizers";
import { InputError } from "../base/errors.ts";
import type { EncodedCaptions } from "./caption-tokenizer.ts";

const SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"] as const;

/** Words of a caption that count. */
const MAX_WORDS = 50;

export class WordPieceTokenizer {
  readonly size: number;
  readonly #vocabulary: ReadonlyMap<string, number>;
  readonly #tokenizer: Tokenizer;

  /** @param json parsed tokenizer.json @throws InputError if it is of another kind. */
  constructor(json: Record<string, unknown>) {
    const model = json["model"] as { type?: string; vocab?: Record<string, number> } | undefined;
    if (model?.type !== "WordPiece" || typeof model.vocab !== "object")
      throw new InputError(`expected a WordPiece model, as bert-base-uncased has, got ${model?.type ?? "none"}`);
    this.#vocabulary = new Map(Object.entries(model.vocab));
    const missing = SPECIALS.filter((token) => !this.#vocabulary.has(token));
    if (missing.length > 0) throw new InputError(`expected the tokens ${missing.join(", ")}, found none`);
    this.size = Math.max(...this.#vocabulary.values()) + 1;
    this.#tokenizer = new Tokenizer(json, {});
  }

  /** Captions cut and padded to `length` tokens: [CLS] words [SEP] [PAD]... */
  encode(captions: readonly string[], length: number): EncodedCaptions {
    const [pad, unknown, begin, end] = SPECIALS.map((token) => this.#vocabulary.get(token) ?? 0) as [
      number,
      number,
      number,
      number,
    ];
    const ids = new Int32Array(captions.length * length).fill(pad);
    const mask = new Int32Array(ids.length);
    const ends = new Int32Array(captions.length);
    for (const [b, caption] of captions.entries()) {
      const { tokens } = this.#tokenizer.encode(cleanCaption(caption), { add_special_tokens: false });
      const words = (tokens as readonly string[]).slice(0, length - 2);
      const row = [begin, ...words.map((token) => this.#vocabulary.get(token) ?? unknown), end];
      ids.set(row, b * length);
      mask.fill(1, b * length, b * length + row.length);
      ends[b] = row.length - 1;
    }
    return { ids, mask, end: ends };
  }
}

/** Small letters, some marks as spaces, single spaces, at most 50 words. */
export function cleanCaption(caption: string): string {
  const text = caption
    .toLowerCase()
    .replace(/[.!"()*#:;~]/g, " ")
    .replace(/\s{2,}/g, " ")
    .replace(/\n+$/, "")
    .replace(/^ +| +$/g, "");
  return text.split(" ").slice(0, MAX_WORDS).join(" ");
}
