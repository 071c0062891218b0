/**
 * BLEU-1 to BLEU-4 as COCO's caption evaluation computes them: clipped n-gram precision, the closest reference length,
 * and a brevity penalty. Papineni et al. 2002; constants of the COCO implementation, so that scores agree to the last digit.
 */
import { type CaptionPair, expectPairs } from "./caption-pairs.ts";
import { ngramCounts, words } from "./ngrams.ts";

const N = 4;
const [SMALL, TINY] = [1e-9, 1e-15];

export interface BleuScores {
  /** BLEU-1..4 of the corpus, 0..1. */
  readonly corpus: readonly number[];
  /** BLEU-1..4 of each caption. */
  readonly each: readonly (readonly number[])[];
}

interface Counts {
  readonly length: number;
  readonly referenceLength: number;
  /** N-grams of the candidate, and those that a reference has too, for n = 1..4. */
  readonly guessed: readonly number[];
  readonly correct: readonly number[];
}

export function bleu(pairs: readonly CaptionPair[]): BleuScores {
  const rows = bleuRows(pairs);
  const total = rows.reduce((sums, row) => sums.map((sum, i) => sum + (row[i] ?? 0)));
  return { corpus: bleuOfSums(total), each: rows.map(bleuOfSums) };
}

/** One row a caption: its length, that of its reference, n-grams that it has, and those that are right, for n = 1..4. */
export function bleuRows(pairs: readonly CaptionPair[]): number[][] {
  expectPairs(pairs);
  return pairs.map(count).map((c) => [c.length, c.referenceLength, ...c.guessed, ...c.correct]);
}

/** BLEU-1..4 of the sums of such rows. */
export function bleuOfSums([length = 0, referenceLength = 0, ...grams]: readonly number[]): number[] {
  return score({ length, referenceLength, guessed: grams.slice(0, N), correct: grams.slice(N) });
}

function count({ candidate, references }: CaptionPair): Counts {
  const tokens = words(candidate);
  const lists = references.map(words);
  const distances = lists.map((list) => [Math.abs(list.length - tokens.length), list.length] as const);
  const [, referenceLength] = distances.reduce((best, next) =>
    next[0] < best[0] || (next[0] === best[0] && next[1] < best[1]) ? next : best,
  );
  const guessed: number[] = [];
  const correct: number[] = [];
  for (let n = 1; n <= N; n++) {
    const most = new Map<string, number>();
    for (const list of lists)
      for (const [ngram, times] of ngramCounts(list, n)) most.set(ngram, Math.max(most.get(ngram) ?? 0, times));
    guessed.push(Math.max(0, tokens.length - n + 1));
    let right = 0;
    for (const [ngram, times] of ngramCounts(tokens, n)) right += Math.min(times, most.get(ngram) ?? 0);
    correct.push(right);
  }
  return { length: tokens.length, referenceLength, guessed, correct };
}

function score({ length, referenceLength, guessed, correct }: Counts): number[] {
  const ratio = (length + TINY) / (referenceLength + SMALL);
  const penalty = ratio < 1 ? Math.exp(1 - 1 / ratio) : 1;
  let product = 1;
  return guessed.map((number, n) => {
    product *= ((correct[n] ?? 0) + TINY) / (number + SMALL);
    return product ** (1 / (n + 1)) * penalty;
  });
}
