/** Exact search: the query's dot product with every row. A million rows of 256 numbers take a fraction of a second. */
import { type PictureIndex, rowOf } from "./picture-index.ts";

export interface Hit {
  /** Index of the picture. */
  readonly at: number;
  /** Cosine of query and picture. */
  readonly score: number;
}

/**
 * The `count` pictures nearest to a unit vector, best first; equal scores in the order of the index.
 * @param accept which pictures may be found. Default: all
 */
export function nearest(
  index: PictureIndex,
  query: Float32Array,
  count: number,
  accept?: (at: number) => boolean,
): Hit[] {
  const { width, embeddings, scales, pictures } = index;
  const found = new Best(count);
  for (let i = 0; i < pictures.length; i++) {
    if (accept && !accept(i)) continue;
    let sum = 0;
    const base = i * width;
    for (let k = 0; k < width; k++) sum += (query[k] as number) * (embeddings[base + k] as number);
    found.add(i, sum * (scales[i] as number));
  }
  return found.sorted();
}

/** The best of many, in a heap whose root is the worst that is kept. */
class Best {
  readonly #most: number;
  readonly #hits: Hit[] = [];

  constructor(most: number) {
    this.#most = most;
  }

  add(at: number, score: number): void {
    const hits = this.#hits;
    if (hits.length < this.#most) {
      hits.push({ at, score });
      this.#up(hits.length - 1);
    } else if (hits[0] && score > hits[0].score) {
      hits[0] = { at, score };
      this.#down();
    }
  }

  sorted(): Hit[] {
    return [...this.#hits].sort((a, b) => b.score - a.score || a.at - b.at);
  }

  #worse(i: number, j: number): boolean {
    const [a, b] = [this.#hits[i] as Hit, this.#hits[j] as Hit];
    return a.score < b.score || (a.score === b.score && a.at > b.at);
  }

  #swap(i: number, j: number): void {
    const hits = this.#hits;
    [hits[i], hits[j]] = [hits[j] as Hit, hits[i] as Hit];
  }

  #up(start: number): void {
    for (let i = start; i > 0; ) {
      const parent = (i - 1) >> 1;
      if (!this.#worse(i, parent)) return;
      this.#swap(i, parent);
      i = parent;
    }
  }

  #down(): void {
    for (let i = 0; ; ) {
      let worst = i;
      for (const child of [2 * i + 1, 2 * i + 2])
        if (child < this.#hits.length && this.#worse(child, worst)) worst = child;
      if (worst === i) return;
      this.#swap(i, worst);
      i = worst;
    }
  }
}

/** Cosine of two indexed pictures. */
export function cosineOf(index: PictureIndex, i: number, j: number): number {
  const [a, b] = [rowOf(index, i), rowOf(index, j)];
  let sum = 0;
  for (let k = 0; k < a.length; k++) sum += (a[k] as number) * (b[k] as number);
  return sum * (index.scales[i] as number) * (index.scales[j] as number);
}
