/** k-means on rows of floats, to start a codebook where the data is. Lloyd 1982, k-means++-free: random rows as start. */
import type { Rng } from "../../base/rng.ts";

/** Index of the nearest of `centers` for each of the rows, and the centers' squared lengths are taken once. */
export function nearest(rows: Float32Array, centers: Float32Array, width: number): Int32Array {
  const [n, k] = [rows.length / width, centers.length / width];
  const lengths = new Float64Array(k);
  for (let c = 0; c < k; c++) for (let d = 0; d < width; d++) lengths[c] = lengths[c]! + centers[c * width + d]! ** 2;
  const out = new Int32Array(n);
  for (let i = 0; i < n; i++) {
    let best = Infinity;
    for (let c = 0; c < k; c++) {
      let dot = 0;
      for (let d = 0; d < width; d++) dot += rows[i * width + d]! * centers[c * width + d]!;
      const distance = lengths[c]! - 2 * dot;
      if (distance < best) {
        best = distance;
        out[i] = c;
      }
    }
  }
  return out;
}

/** @returns f32 [k,width]. A center that loses all its rows starts again at a random row. */
export function kmeans(rows: Float32Array, width: number, k: number, rounds: number, rng: Rng): Float32Array {
  const n = rows.length / width;
  const centers = new Float32Array(k * width);
  const restart = (c: number): void => {
    const i = rng.int(n);
    centers.set(rows.subarray(i * width, (i + 1) * width), c * width);
  };
  for (let c = 0; c < k; c++) restart(c);
  for (let round = 0; round < rounds; round++) {
    const owner = nearest(rows, centers, width);
    const sums = new Float64Array(k * width);
    const counts = new Float64Array(k);
    for (let i = 0; i < n; i++) {
      const c = owner[i]!;
      counts[c] = counts[c]! + 1;
      for (let d = 0; d < width; d++) sums[c * width + d] = sums[c * width + d]! + rows[i * width + d]!;
    }
    for (let c = 0; c < k; c++) {
      if (counts[c] === 0) restart(c);
      else for (let d = 0; d < width; d++) centers[c * width + d] = sums[c * width + d]! / counts[c]!;
    }
  }
  return centers;
}
