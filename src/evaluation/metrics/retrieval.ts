/** Image-text retrieval by plain similarity ranking, without re-ranking. arXiv 2307.08041 Table 1. */
import { dot } from "../../base/vectors.ts";

export interface Recall {
  readonly r1: number;
  readonly r5: number;
  readonly r10: number;
}

export interface RetrievalScores {
  readonly imageToText: Recall;
  readonly textToImage: Recall;
  /** Mean of the six numbers. */
  readonly mean: number;
}

/**
 * Recall at 1, 5 and 10 in percent. Picture i belongs to `captions[i]`; a candidate with the very same caption counts as
 * right, as nobody could tell the two apart. Ties rank the wrong candidate first.
 * @param similarity of picture i and caption j
 */
export function rankedRetrieval(
  captions: readonly string[],
  similarity: (image: number, text: number) => number,
): RetrievalScores {
  const n = captions.length;
  const recall = (score: (query: number, candidate: number) => number): Recall => {
    const ranks = captions.map((caption, i) => {
      const scores = captions.map((_, j) => score(i, j));
      const best = scores.reduce((top, s, j) => (captions[j] === caption ? Math.max(top, s) : top), -Infinity);
      return scores.filter((s, j) => captions[j] !== caption && s >= best).length;
    });
    const at = (k: number): number => (100 * ranks.filter((rank) => rank < k).length) / n;
    return { r1: at(1), r5: at(5), r10: at(10) };
  };
  const imageToText = recall(similarity);
  const textToImage = recall((text, image) => similarity(image, text));
  const all = [imageToText, textToImage].flatMap(({ r1, r5, r10 }) => [r1, r5, r10]);
  return { imageToText, textToImage, mean: all.reduce((a, b) => a + b, 0) / 6 };
}

/** Retrieval with the dot product of vectors, unit ones for cosines. */
export function retrieval(
  images: readonly Float32Array[],
  texts: readonly Float32Array[],
  captions: readonly string[],
): RetrievalScores {
  return rankedRetrieval(captions, (i, j) => dot(images[i]!, texts[j]!));
}

export function cosine(a: Float32Array, b: Float32Array): number {
  return dot(a, b) / Math.max(Math.sqrt(dot(a, a) * dot(b, b)), 1e-12);
}

/** Rows of a flat array scaled to length 1. */
export function unitRows(data: Float32Array, width: number): Float32Array[] {
  return Array.from({ length: data.length / width }, (_, i) => {
    const row = data.subarray(i * width, (i + 1) * width);
    const scale = 1 / Math.max(Math.sqrt(dot(row, row)), 1e-12);
    return row.map((x) => x * scale);
  });
}
