/**
 * Retrieval with several captions per picture, as on COCO and Flickr30K: a picture finds any of its captions, a caption
 * finds its picture; by plain similarity, without re-ranking. Of equally near candidates the later one ranks first, as in LAVIS.
 */
import { UsageError } from "../../base/errors.ts";
import { dot } from "../../base/vectors.ts";
import { bootstrapSums, type Interval, type Statistic } from "./bootstrap.ts";
import type { Recall } from "./retrieval.ts";

export interface CaptionRanks {
  /** For each picture, how many captions of others rank before its first own one. */
  readonly images: readonly number[];
  /** For each caption, how many pictures rank before its own. */
  readonly texts: readonly number[];
}

export interface RankOptions {
  readonly signal?: AbortSignal;
  /** After some pictures. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** Pictures compared before other work has its turn. */
const TURN = 64;

/**
 * images: unit vectors f32 [F]; texts: the same, of which text j belongs to the picture owners[j].
 * @throws UsageError if a picture has no caption, or a caption no picture
 */
export async function captionRanks(
  images: readonly Float32Array[],
  texts: readonly Float32Array[],
  owners: readonly number[],
  { signal, onProgress }: RankOptions = {},
): Promise<CaptionRanks> {
  const similarity = (i: number, j: number): number => dot(images[i] as Float32Array, texts[j] as Float32Array);
  const counter = new RankCounter(images.length, owners, similarity);
  for (let i = 0; i < images.length; i++) {
    counter.compare(i);
    if ((i + 1) % TURN !== 0 && i + 1 < images.length) continue;
    onProgress?.(i + 1, images.length);
    await new Promise((done) => setTimeout(done));
    signal?.throwIfAborted();
  }
  return counter;
}

/** The same for any similarity of a picture and a caption. */
export function ranksBySimilarity(
  pictures: number,
  owners: readonly number[],
  similarity: (image: number, text: number) => number,
): CaptionRanks {
  const counter = new RankCounter(pictures, owners, similarity);
  for (let i = 0; i < pictures; i++) counter.compare(i);
  return counter;
}

/** Counts ranks in both directions in one pass over the similarities, picture by picture. */
class RankCounter implements CaptionRanks {
  readonly images: number[] = [];
  readonly texts: number[];
  readonly #owners: readonly number[];
  readonly #similarity: (image: number, text: number) => number;
  /** Similarity of each caption to its own picture. */
  readonly #own: Float64Array;

  constructor(pictures: number, owners: readonly number[], similarity: (image: number, text: number) => number) {
    const captioned = new Set(owners);
    const bare = Array.from({ length: pictures }, (_, i) => i).find((i) => !captioned.has(i));
    if (bare !== undefined) throw new UsageError(`retrieval: expected captions of picture ${bare}, got none.`);
    const lost = owners.findIndex((owner) => !(Number.isInteger(owner) && owner >= 0 && owner < pictures));
    if (lost >= 0) throw new UsageError(`retrieval: expected a picture of caption ${lost}, got ${owners[lost]}.`);
    this.#owners = owners;
    this.#similarity = similarity;
    this.#own = Float64Array.from(owners, (owner, j) => similarity(owner, j));
    this.texts = owners.map(() => 0);
  }

  compare(image: number): void {
    const [owners, own, texts] = [this.#owners, this.#own, this.texts];
    const row = Float64Array.from(owners, (_, j) => this.#similarity(image, j));
    let first = -1; // its own caption that ranks first
    for (let j = 0; j < row.length; j++)
      if (owners[j] === image && !((row[j] as number) < (row[first] ?? Number.NEGATIVE_INFINITY))) first = j;
    const best = row[first] as number;
    let rank = 0;
    for (let j = 0; j < row.length; j++) {
      const owner = owners[j] as number;
      if (owner === image) continue;
      const near = row[j] as number;
      if (near > best || (near === best && j > first)) rank++;
      const needed = own[j] as number;
      if (near > needed || (near === needed && image > owner)) texts[j] = (texts[j] as number) + 1;
    }
    this.images.push(rank);
  }
}

/** All in percent, with intervals over pictures together with their captions. */
export interface CaptionRetrieval {
  readonly imageToText: Readonly<Record<keyof Recall, Interval>>;
  readonly textToImage: Readonly<Record<keyof Recall, Interval>>;
  /** Mean of the six numbers. */
  readonly mean: Interval;
}

const AT = [1, 5, 10] as const;

/** One row a picture: 1, its hits at 1, 5 and 10, number of its captions, their hits. `recallOfSums` of their sums scores. */
export function recallRows({ images, texts }: CaptionRanks, owners: readonly number[]): number[][] {
  const rows = images.map((rank) => [1, ...AT.map((k) => Number(rank < k)), 0, 0, 0, 0]);
  for (const [j, rank] of texts.entries()) {
    const row = rows[owners[j] ?? -1];
    if (row)
      for (const [i, add] of [1, ...AT.map((k) => Number(rank < k))].entries()) row[4 + i] = (row[4 + i] ?? 0) + add;
  }
  return rows;
}

/** Recall number `at` of the six in percent, or the mean of all. */
export function recallOfSums(at: number | "mean"): Statistic {
  return (sums) => {
    const six = [1, 2, 3, 5, 6, 7].map((i) => (100 * (sums[i] ?? 0)) / (sums[i < 4 ? 0 : 4] ?? 1));
    return at === "mean" ? six.reduce((a, b) => a + b, 0) / 6 : (six[at] ?? Number.NaN);
  };
}

export function captionRetrieval(ranks: CaptionRanks, owners: readonly number[]): CaptionRetrieval {
  const rows = recallRows(ranks, owners);
  const at = (i: number): Interval => bootstrapSums(rows, recallOfSums(i));
  return {
    imageToText: { r1: at(0), r5: at(1), r10: at(2) },
    textToImage: { r1: at(3), r5: at(4), r10: at(5) },
    mean: bootstrapSums(rows, recallOfSums("mean")),
  };
}
