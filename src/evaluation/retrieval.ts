/** Image-text retrieval by plain similarity ranking, without re-ranking. arXiv 2307.08041 Table 1. */

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
 * Recall at 1, 5 and 10 in percent. Row i of `images` belongs to `captions[i]`; a candidate with the very same caption
 * counts as right, as nobody could tell the two apart. Ties rank the wrong candidate first.
 * @param images unit vectors, N x width
 * @param texts unit vectors, N x width
 */
export function retrieval(images: Float32Array, texts: Float32Array, captions: readonly string[]): RetrievalScores {
  const n = captions.length;
  const width = images.length / n;
  const rank = (queries: Float32Array, candidates: Float32Array): Recall => {
    const ranks = captions.map((caption, i) => rankOf(queries, candidates, width, captions, caption, i));
    const at = (k: number): number => (100 * ranks.filter((r) => r < k).length) / n;
    return { r1: at(1), r5: at(5), r10: at(10) };
  };
  const imageToText = rank(images, texts);
  const textToImage = rank(texts, images);
  const all = [imageToText, textToImage].flatMap(({ r1, r5, r10 }) => [r1, r5, r10]);
  return { imageToText, textToImage, mean: all.reduce((a, b) => a + b, 0) / 6 };
}

/** How many wrong candidates score at least as high as the best right one. */
function rankOf(
  queries: Float32Array,
  candidates: Float32Array,
  width: number,
  captions: readonly string[],
  caption: string,
  row: number,
): number {
  const scores = captions.map((_, j) => {
    let dot = 0;
    for (let k = 0; k < width; k++) dot += queries[row * width + k]! * candidates[j * width + k]!;
    return dot;
  });
  let best = -Infinity;
  for (const [j, score] of scores.entries()) if (captions[j] === caption && score > best) best = score;
  return scores.filter((score, j) => captions[j] !== caption && score >= best).length;
}

/** Rows scaled to length 1, in place. */
export function unitRows(data: Float32Array, width: number): Float32Array {
  for (let at = 0; at < data.length; at += width) {
    let sum = 0;
    for (let k = at; k < at + width; k++) sum += data[k]! ** 2;
    const scale = 1 / Math.max(Math.sqrt(sum), 1e-12);
    for (let k = at; k < at + width; k++) data[k] = data[k]! * scale;
  }
  return data;
}
