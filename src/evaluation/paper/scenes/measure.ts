/** Scores of one arm on one set, in the forms that arms store: with what paired comparisons need. */
import { dot } from "../../../base/vectors.ts";
import type { Scene } from "../../../data/index.ts";
import { bleuRows } from "../../metrics/bleu.ts";
import { ciderD } from "../../metrics/cider-d.ts";
import { clipSimilarities } from "../../metrics/clip-similarity.ts";
import { meteor, type SynonymTest } from "../../metrics/meteor.ts";
import { ptbTokenize } from "../../metrics/ptb-tokenizer.ts";
import { objectRows } from "../../metrics/read-caption.ts";
import { rougeL } from "../../metrics/rouge-l.ts";
import { gqaExactMatch, normalizeVqaAnswer } from "../../metrics/vqa-accuracy.ts";
import type { StoredValue } from "../arms.ts";

export type Metrics = Record<string, StoredValue>;

/** Six significant digits: files that are committed stay small. */
const short = (value: number): number => Number(value.toPrecision(6));
const percents = (each: readonly number[]): StoredValue => ({ each: each.map((value) => short(100 * value)) });
const flags = (each: readonly boolean[]): StoredValue => ({ each: each.map((one) => (one ? 100 : 0)) });

/**
 * Recalls of scenes with one caption each. A candidate with the very same caption counts as right, as nobody could tell the
 * two apart; ties rank the wrong candidate first. images, texts: unit vectors f32 [F].
 */
export function recallMetrics(
  images: readonly Float32Array[],
  texts: readonly Float32Array[],
  captions: readonly string[],
): Metrics {
  const hits = (queries: readonly Float32Array[], candidates: readonly Float32Array[]): number[][] =>
    queries.map((query, i) => {
      const near = candidates.map((candidate) => dot(query, candidate));
      const best = near.reduce((top, own, j) => (captions[j] === captions[i] ? Math.max(top, own) : top), -Infinity);
      const rank = near.filter((own, j) => captions[j] !== captions[i] && own >= best).length;
      return [1, ...[1, 5, 10].map((k) => Number(rank < k))];
    });
  const [seeing, reading] = [hits(images, texts), hits(texts, images)];
  return { recall: { rows: seeing.map((row, i) => [...row, ...(reading[i] ?? [])]), statistic: "recall" } };
}

export interface CaptionMetricsOptions {
  readonly nouns: readonly string[];
  readonly synonyms: SynonymTest;
}

/** Caption metrics of what was said of scenes, against several references each. */
export function captionMetricsOf(
  said: readonly string[],
  references: readonly (readonly string[])[],
  scenes: readonly Pick<Scene, "objects">[],
  { nouns, synonyms }: CaptionMetricsOptions,
): Metrics {
  const pairs = said.map((candidate, i) => ({
    candidate: ptbTokenize(candidate),
    references: (references[i] ?? []).map(ptbTokenize),
  }));
  return {
    "CIDEr-D": percents(ciderD(pairs).each),
    "BLEU-4": { rows: bleuRows(pairs), statistic: "BLEU-4" },
    METEOR: { rows: meteor(pairs, synonyms).sums.map((row) => row.map(short)), statistic: "METEOR" },
    "ROUGE-L": percents(rougeL(pairs).each),
    "object F1": { rows: objectRows(said, scenes, nouns), statistic: "ratio" },
  };
}

/** Answers to questions that have one right answer each: VQA's normalization, and GQA's exact match. */
export function answerMetrics(said: readonly string[], answers: readonly string[]): Metrics {
  const pairs = said.map((own, i) => [own, answers[i] ?? ""] as const);
  return {
    "VQA accuracy": flags(pairs.map(([own, answer]) => normalizeVqaAnswer(own) === normalizeVqaAnswer(answer))),
    "exact match": flags(pairs.map(([own, answer]) => gqaExactMatch(own, answer))),
  };
}

/** Similarity of pictures to their originals by a judge's image embeddings. */
export function similarityMetric(made: readonly Float32Array[], originals: readonly Float32Array[]): StoredValue {
  return { each: clipSimilarities(made, originals).map(short) };
}

/** Percent of the codebook that these pictures use. */
export function codesInUse(pictures: readonly (readonly number[])[], codebook: number): StoredValue {
  return { mean: short((100 * new Set(pictures.flat()).size) / codebook), count: pictures.length };
}
