/**
 * First values for the rows of codes: each code begins as the words of the captions of its pictures, in the base model's
 * own vectors, so that a frozen model reads a picture as a bag of faint words before it has learned anything.
 *
 * A row is the sum over words w of log((n(c,w) + a) / (n(c) p(w) + a)) (E(w) - mean E): the evidence of naive Bayes, where
 * n(c,w) counts the captions with word w among the n(c) pictures with code c, and p(w) is the share of all captions. The
 * same vector is added to every row, so that the model can tell codes from words, in what it reads and, where the head is
 * tied to the embeddings, in what it writes.
 */

import { item } from "../../base/item.ts";
import { hashText, Rng } from "../../base/rng.ts";
import type { DescribedCodes } from "../../data/described-codes.ts";

export interface WordRowsOptions {
  readonly rows: readonly DescribedCodes[];
  /** Ids of a caption's tokens. */
  readonly encode: (caption: string) => readonly number[];
  /** The base's embeddings, f32 [V,width]. */
  readonly embeddings: Float32Array;
  readonly width: number;
  /** Size of the codebook. */
  readonly codes: number;
}

/** a: captions that it takes before a code counts as a sign of a word. */
const PRIOR = 4;
/** Words in a larger share of captions are left out. */
const COMMON = 0.5;

/**
 * Length of the rows relative to the base's words. What a frozen model adds to its stream layer by layer fits the length
 * of its own words, so a much shorter row is read in the first layer and lost afterwards.
 */
const LENGTH = 1;

/** f32 [codes,width]. Half of the square of a row's length is its own, half is the vector that all rows share. */
export function wordRows({ rows, encode, embeddings, width, codes }: WordRowsOptions): Float32Array {
  const { ids, captions, pictures, together } = count(rows, encode, codes);
  const words = [...ids].filter(([, word]) => isTelling(item(captions, word), rows.length));
  const mean = new Float32Array(width);
  for (const [id] of words) for (let d = 0; d < width; d++) mean[d]! += embeddings[id * width + d]! / words.length;
  const out = new Float32Array(codes * width);
  for (let code = 0; code < codes; code++)
    for (const [id, word] of words) {
      const expected = (item(pictures, code) * item(captions, word)) / rows.length;
      const evidence = Math.log(((together.get(code * ids.size + word) ?? 0) + PRIOR) / (expected + PRIOR));
      for (let d = 0; d < width; d++) out[code * width + d]! += evidence * (embeddings[id * width + d]! - mean[d]!);
    }
  const vectors = words.flatMap(([id]) => [...embeddings.subarray(id * width, (id + 1) * width)]);
  // In a few captions, or in captions that are all alike, no word is informative: then all rows are the shared vector.
  const own = spread(vectors.length > 0 ? Float32Array.from(vectors) : embeddings);
  const scale = (LENGTH * own * Math.SQRT1_2) / (spread(out) || 1);
  const rng = new Rng(hashText("code"));
  const shared = Float32Array.from({ length: width }, () => LENGTH * own * Math.SQRT1_2 * rng.normal());
  return out.map((value, i) => value * scale + item(shared, i % width));
}

const isTelling = (captions: number, all: number): boolean => captions > PRIOR && captions <= COMMON * all;

interface Counts {
  /** Ids of the base -> indices into `captions`. */
  readonly ids: ReadonlyMap<number, number>;
  /** Captions with each word. */
  readonly captions: readonly number[];
  /** Pictures with each code. */
  readonly pictures: Uint32Array;
  /** Pictures with a code and a word: by code * words + word. */
  readonly together: ReadonlyMap<number, number>;
}

function count(rows: readonly DescribedCodes[], encode: WordRowsOptions["encode"], codes: number): Counts {
  const ids = new Map<number, number>();
  const captions: number[] = [];
  const said = rows.map(({ caption }) =>
    [...new Set(encode(caption))].map((id) => {
      const word = ids.get(id) ?? ids.size;
      ids.set(id, word);
      captions[word] = (captions[word] ?? 0) + 1;
      return word;
    }),
  );
  const pictures = new Uint32Array(codes);
  const together = new Map<number, number>();
  for (const [i, row] of rows.entries())
    for (const code of new Set(row.codes)) {
      pictures[code]!++;
      for (const word of item(said, i)) {
        const key = code * ids.size + word;
        together.set(key, (together.get(key) ?? 0) + 1);
      }
    }
  return { ids, captions, pictures, together };
}

/** Root of the mean square. */
function spread(values: Float32Array): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
}
