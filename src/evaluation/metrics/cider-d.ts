/**
 * CIDEr-D of a corpus: tf-idf cosine of 1- to 4-grams, clipped, with a Gaussian penalty on the difference in length.
 * Vedantam et al. 2015. Document frequencies come from the references that are given, as in COCO's caption evaluation, so
 * the score of a caption depends on the corpus; a corpus of one picture scores 0.
 */
import { type CaptionPair, type CaptionScores, expectPairs, mean } from "./caption-pairs.ts";
import { ngramCounts, words } from "./ngrams.ts";

const [N, SIGMA] = [4, 6];

interface TfIdf {
  /** Weight of each n-gram, for n = 1..4. */
  readonly weights: readonly ReadonlyMap<string, number>[];
  readonly norms: readonly number[];
  /** The published code counts bigrams here, which is one less than the words. */
  readonly length: number;
}

/** Scores are 0..10. */
export function ciderD(pairs: readonly CaptionPair[]): CaptionScores {
  expectPairs(pairs);
  const references = pairs.map((pair) => pair.references.map(allNgrams));
  const frequency = new Map<string, number>();
  for (const lists of references) {
    const seen = new Set(lists.flatMap((list) => list.flatMap((counts) => [...counts.keys()])));
    for (const ngram of seen) frequency.set(ngram, (frequency.get(ngram) ?? 0) + 1);
  }
  const logCorpus = Math.log(pairs.length);
  const vector = (counts: readonly Map<string, number>[]): TfIdf => {
    const weights = counts.map((list) => {
      const entries = [...list].map(([ngram, times]): [string, number] => {
        return [ngram, times * (logCorpus - Math.log(Math.max(1, frequency.get(ngram) ?? 0)))];
      });
      return new Map(entries);
    });
    const norms = weights.map((list) => Math.sqrt([...list.values()].reduce((sum, w) => sum + w * w, 0)));
    const length = [...(counts[1]?.values() ?? [])].reduce((sum, times) => sum + times, 0);
    return { weights, norms, length };
  };
  const each = pairs.map(({ candidate }, i) => {
    const guess = vector(allNgrams(candidate));
    return 10 * mean((references[i] ?? []).map((counts) => similarity(guess, vector(counts))));
  });
  return { score: mean(each), each };
}

function allNgrams(caption: string): Map<string, number>[] {
  const tokens = words(caption);
  return Array.from({ length: N }, (_, n) => ngramCounts(tokens, n + 1));
}

function similarity(guess: TfIdf, reference: TfIdf): number {
  const penalty = Math.exp(-((guess.length - reference.length) ** 2) / (2 * SIGMA ** 2));
  return mean(
    guess.weights.map((weights, n) => {
      const theirs = reference.weights[n];
      let sum = 0;
      for (const [ngram, weight] of weights) {
        const other = theirs?.get(ngram) ?? 0;
        sum += Math.min(weight, other) * other;
      }
      const norm = (guess.norms[n] ?? 0) * (reference.norms[n] ?? 0);
      return norm === 0 ? 0 : (sum / norm) * penalty;
    }),
  );
}
