/**
 * Learns a byte-pair vocabulary from text: the most frequent pair of neighbors in a word becomes one token, again and
 * again. Sennrich et al. 2016; on bytes, with the words of GPT-2, as a Hugging Face `tokenizer.json`.
 */
import { utf8 } from "../base/bytes.ts";
import { UsageError } from "../base/errors.ts";
import { entry, item } from "../base/item.ts";

/** Words as GPT-2 cuts them: a leading space belongs to the word, endings after an apostrophe are words of their own. */
const WORDS = /'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;

export interface BpeOptions {
  /** Tokens in all: special ones, 256 bytes, and merges. Fewer if the texts have no more pairs that occur twice. */
  readonly size: number;
  /** Tokens with the first ids that text can never spell. */
  readonly special: readonly string[];
}

/** @returns the JSON of a tokenizer.json; the same texts give the same vocabulary. */
export function trainBpe(texts: Iterable<string>, options: BpeOptions): Record<string, unknown> {
  const merges = bpeMerges(texts, options);
  for (;;) {
    const { done, value } = merges.next();
    if (done) return value;
  }
}

/** `trainBpe` in small steps, for a caller that does other things meanwhile: yields how many tokens there are so far. */
export function* bpeMerges(
  texts: Iterable<string>,
  { size, special }: BpeOptions,
): Generator<number, Record<string, unknown>> {
  const least = special.length + 256;
  if (size < least) throw new UsageError(`trainBpe: expected a size of at least ${least}, got ${size}.`);
  const letters = byteLetters();
  const tokens = [...letters].sort();
  const ids = new Map(tokens.map((token, i) => [token, i]));
  const words = [...(yield* countWords(texts, special.length + 256))].map(([word, count]) => ({
    ids: [...utf8(word)].map((byte) => entry(ids, item(letters, byte))),
    count,
  }));
  const merges: (readonly [string, string])[] = [];
  const pairs = new PairCounts(words);
  while (special.length + tokens.length < size) {
    const best = pairs.mostFrequent();
    if (!best || best.count < 2) break;
    const [left, right] = [item(tokens, best.left), item(tokens, best.right)];
    merges.push([left, right]);
    tokens.push(left + right);
    pairs.merge(best, tokens.length - 1);
    yield special.length + tokens.length;
  }
  const vocab = Object.fromEntries([...special, ...tokens].map((token, id) => [token, id]));
  const added = special.map((content, id) => ({
    id,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  }));
  const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: added,
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: null,
    decoder: { ...byteLevel, add_prefix_space: true },
    model: { type: "BPE", dropout: null, unk_token: null, fuse_unk: false, byte_fallback: false, vocab, merges },
  };
}

function* countWords(texts: Iterable<string>, tokens: number): Generator<number, Map<string, number>> {
  const counts = new Map<string, number>();
  for (const text of texts) {
    for (const [word] of text.matchAll(WORDS)) counts.set(word, (counts.get(word) ?? 0) + 1);
    yield tokens;
  }
  return counts;
}

/** A printable letter for each byte, as GPT-2 has it: itself where it is one, else one from 256 on. */
function byteLetters(): string[] {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    return String.fromCharCode(printable ? byte : next++);
  });
}

interface Word {
  ids: number[];
  readonly count: number;
}

interface Pair {
  readonly left: number;
  readonly right: number;
  readonly count: number;
}

/** How often each pair of neighbors occurs, and in which words, kept up to date from merge to merge. */
class PairCounts {
  readonly #words: readonly Word[];
  readonly #counts = new Map<number, number>();
  readonly #where = new Map<number, Set<number>>();

  constructor(words: readonly Word[]) {
    this.#words = words;
    for (const [w, word] of words.entries()) this.#add(w, word, 1);
  }

  /** The first of equals is the one with the smaller ids, so that the order of the texts does not matter. */
  mostFrequent(): Pair | undefined {
    let [best, most] = [-1, 0];
    for (const [key, count] of this.#counts) {
      if (count > most || (count === most && key < best)) [best, most] = [key, count];
    }
    if (best < 0) return undefined;
    return { left: Math.floor(best / SPAN), right: best % SPAN, count: most };
  }

  merge({ left, right }: Pair, merged: number): void {
    for (const w of [...entry(this.#where, left * SPAN + right)]) {
      const word = item(this.#words, w);
      this.#add(w, word, -1);
      const ids: number[] = [];
      for (let i = 0; i < word.ids.length; i++) {
        const id = item(word.ids, i);
        const hit = id === left && word.ids[i + 1] === right;
        ids.push(hit ? merged : id);
        if (hit) i++;
      }
      word.ids = ids;
      this.#add(w, word, 1);
    }
  }

  #add(w: number, { ids, count }: Word, sign: 1 | -1): void {
    for (let i = 0; i + 1 < ids.length; i++) {
      const key = ids[i]! * SPAN + ids[i + 1]!;
      const sum = (this.#counts.get(key) ?? 0) + sign * count;
      if (sum > 0) this.#counts.set(key, sum);
      else this.#counts.delete(key);
      const where = this.#where.get(key) ?? new Set();
      if (sign > 0) this.#where.set(key, where.add(w));
      else if (sum <= 0) this.#where.delete(key);
    }
  }
}

/** Two ids as one number: left * SPAN + right. */
const SPAN = 2 ** 24;
