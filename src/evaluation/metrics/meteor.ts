/**
 * METEOR of captions: weighted precision and recall of words that are equal, have the same stem or are synonyms, with a
 * penalty for matches that are out of order. Denkowski and Lavie 2014, with the parameters of version 1.5 for English, which
 * COCO's caption evaluation uses. What differs from the published jar: no paraphrase stage (its table of 60 MB is not
 * free to copy here), WordNet 3.1 instead of 3.0, and a short list of irregular forms (docs/metrics.md).
 */
import { stem } from "porter2";
import { type CaptionPair, type CaptionScores, expectPairs } from "./caption-pairs.ts";
import { alignWords, type SameMeaning } from "./meteor-align.ts";
import { meteorWords } from "./meteor-words.ts";

const [ALPHA, BETA, GAMMA, DELTA] = [0.85, 0.2, 0.6, 0.75];
/** Of exact, stem and synonym matches. */
const WEIGHTS = [1, 0.6, 0.8] as const;

/** Words above one in a thousand of the text that METEOR 1.5 was tuned on: they count a third as much as others. */
const FUNCTION_WORDS = new Set(
  `the , . to of and a in that for " is on 's it with was as said at he by be from have has are his but an this not i will they
  ) -rrb- ( -lrb- who their had we which were been more or s its would about new one after you : also up when there than $ all
  out her people she year two - can if last first over other into some what so -- no time years could ? 't — ' ’ “ ”`.split(
    /\s+/,
  ),
);

export interface SynonymTest {
  has(a: string, b: string): boolean;
}

export interface MeteorScores extends CaptionScores {
  /** For each caption the numbers from whose sums the score of a corpus is computed: `meteorOfSums`. */
  readonly sums: readonly (readonly number[])[];
}

/**
 * Scores are 0..1. `score` is that of the corpus, which is computed from sums and is not the mean of `each`; each caption
 * counts with its best reference.
 */
export function meteor(pairs: readonly CaptionPair[], synonyms: SynonymTest): MeteorScores {
  expectPairs(pairs);
  const stems = new Map<string, string>();
  const stemOf = (word: string): string => {
    const known = stems.get(word) ?? stem(word);
    stems.set(word, known);
    return known;
  };
  const tests: SameMeaning = [(a, b) => stemOf(a) === stemOf(b), (a, b) => synonyms.has(a, b)];
  const sums = pairs.map(({ candidate, references }) => {
    const words = meteorWords(candidate);
    const all = references.map((reference) => compareWords(words, meteorWords(reference), tests));
    return all.reduce((best, next) => (meteorOfSums(next) > meteorOfSums(best) ? next : best));
  });
  const total = sums.reduce((a, b) => a.map((value, i) => value + (b[i] ?? 0)));
  return { score: meteorOfSums(total), each: sums.map(meteorOfSums), sums };
}

/**
 * Weighted matches and weighted length of the candidate, the same of the reference, matches, and chunks: none if all words
 * of both are matched in order.
 */
function compareWords(candidate: readonly string[], reference: readonly string[], tests: SameMeaning): number[] {
  const weightOf = (word: string): number => (FUNCTION_WORDS.has(word) ? 1 - DELTA : DELTA);
  const length = (words: readonly string[]): number => words.reduce((sum, word) => sum + weightOf(word), 0);
  const { matches, chunks } = alignWords(candidate, reference, tests);
  const whole = chunks === 1 && matches.length === candidate.length && matches.length === reference.length;
  const sum = (of: (match: (typeof matches)[number]) => number): number => matches.reduce((all, m) => all + of(m), 0);
  return [
    sum((m) => WEIGHTS[m.stage] * weightOf(candidate[m.candidate] ?? "")),
    length(candidate),
    sum((m) => WEIGHTS[m.stage] * weightOf(reference[m.reference] ?? "")),
    length(reference),
    matches.length,
    whole ? 0 : chunks,
  ];
}

/** The score of sums of what captions contribute. */
export function meteorOfSums(sums: readonly number[]): number {
  const [right = 0, said = 0, found = 0, wanted = 0, matched = 0, chunks = 0] = sums;
  if (right === 0 || found === 0) return 0;
  const [precision, recall] = [right / said, found / wanted];
  const mean = 1 / ((1 - ALPHA) / precision + ALPHA / recall);
  return mean * (1 - GAMMA * (chunks / matched) ** BETA);
}
