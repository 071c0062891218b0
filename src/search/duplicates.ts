/**
 * Pictures that are nearly the same. Rows are cut into bands of signs of random projections; pictures that agree in a band
 * are compared (locality-sensitive hashing, Charikar 2002), so the work grows with the pictures and not with their pairs.
 */
import { Rng } from "../base/rng.ts";
import { cosineOf } from "./flat-search.ts";
import { type PictureIndex, rowOf } from "./picture-index.ts";

export interface DuplicateGroup {
  /** Indices of the pictures, the first one first. */
  readonly pictures: readonly number[];
  /** Smallest cosine that joined one of them to the group. */
  readonly cosine: number;
}

/** Two pictures of cosine 0.95 agree in a band of 16 signs with probability 0.18, in one of 24 with 0.99. */
const [BANDS, BITS] = [24, 16];
/** If more pictures agree in a band, each is compared with this many of the next only; the rest meet in other bands. */
const MOST_IN_BAND = 2000;

/** Groups of pictures whose cosine is at least `threshold` from one to the next. */
export function duplicates(index: PictureIndex, threshold = 0.97): DuplicateGroup[] {
  const count = index.pictures.length;
  const parents = Int32Array.from({ length: count }, (_, i) => i);
  const find = (i: number): number => {
    let root = i;
    while (parents[root] !== root) root = parents[root] as number;
    for (let at = i; parents[at] !== root; ) [at, parents[at]] = [parents[at] as number, root];
    return root;
  };
  const smallest = new Map<number, number>();
  for (let band = 0; band < BANDS; band++) {
    const planes = signPlanes(index.width, band);
    const buckets = new Map<number, number[]>();
    for (let i = 0; i < count; i++) {
      const key = signature(rowOf(index, i), planes);
      const bucket = buckets.get(key);
      if (bucket) bucket.push(i);
      else buckets.set(key, [i]);
    }
    for (const bucket of buckets.values()) {
      if (bucket.length < 2) continue;
      for (let a = 0; a < bucket.length; a++)
        for (let b = a + 1; b < Math.min(bucket.length, a + MOST_IN_BAND); b++) {
          const [i, j] = [bucket[a] as number, bucket[b] as number];
          const [p, q] = [find(i), find(j)];
          if (p === q) continue;
          const cosine = cosineOf(index, i, j);
          if (cosine < threshold) continue;
          const root = Math.min(p, q);
          parents[Math.max(p, q)] = root;
          smallest.set(root, Math.min(cosine, smallest.get(p) ?? 1, smallest.get(q) ?? 1));
        }
    }
  }
  const groups = new Map<number, number[]>();
  for (let i = 0; i < count; i++) groups.set(find(i), [...(groups.get(find(i)) ?? []), i]);
  return [...groups]
    .filter(([, pictures]) => pictures.length > 1)
    .map(([root, pictures]) => ({ pictures, cosine: smallest.get(root) ?? 1 }));
}

function signPlanes(width: number, band: number): Float32Array {
  const planes = new Float32Array(BITS * width);
  new Rng(7919 * (band + 1)).fillNormal(planes);
  return planes;
}

function signature(row: Int8Array, planes: Float32Array): number {
  let key = 0;
  for (let bit = 0; bit < BITS; bit++) {
    let sum = 0;
    for (let k = 0; k < row.length; k++) sum += (row[k] as number) * (planes[bit * row.length + k] as number);
    key = (key << 1) | (sum > 0 ? 1 : 0);
  }
  return key;
}
