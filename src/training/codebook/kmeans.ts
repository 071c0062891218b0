/** k-means on rows of floats, to start a codebook where the data is. Lloyd 1982, from random rows. */
import type { Rng } from "../../base/rng.ts";
import { Breath } from "../loop/breath.ts";
import type { Work } from "../loop/loop.ts";
import { addRow } from "../loop/values.ts";

/** Rows between two looks at the clock. */
const PIECE = 64;

/** Index of the nearest center of each row. rows: f32 [n,width], centers: f32 [k,width] -> i32 [n]. */
export async function nearest(
  rows: Float32Array,
  centers: Float32Array,
  width: number,
  breath = new Breath(),
): Promise<Int32Array> {
  const [n, k] = [rows.length / width, centers.length / width];
  const lengths = Float64Array.from({ length: k }, (_, c) =>
    centers.subarray(c * width, (c + 1) * width).reduce((sum, x) => sum + x ** 2, 0),
  );
  const out = new Int32Array(n);
  for (let i = 0; i < n; i++) {
    if (i % PIECE === 0) await breath.take();
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

/**
 * Centers of the rows, f32 [k,width]. A center that loses all its rows starts again at a random row.
 * @throws the reason of `signal` soon after it is aborted
 */
export async function kmeans(
  rows: Float32Array,
  { width, centers: k, rounds, rng }: { width: number; centers: number; rounds: number; rng: Rng },
  { signal, onProgress }: Work = {},
): Promise<Float32Array> {
  const n = rows.length / width;
  const centers = new Float32Array(k * width);
  const breath = new Breath(signal);
  const restart = (c: number): void => {
    const i = rng.int(n);
    centers.set(rows.subarray(i * width, (i + 1) * width), c * width);
  };
  for (let c = 0; c < k; c++) restart(c);
  for (let round = 0; round < rounds; round++) {
    onProgress?.("k-means", round, rounds, "rounds");
    const owner = await nearest(rows, centers, width, breath);
    const sums = new Float64Array(k * width);
    const counts = new Float64Array(k);
    for (let i = 0; i < n; i++) {
      const c = owner[i] ?? 0;
      counts[c]! += 1;
      addRow(sums, c, rows, i, width);
    }
    for (let c = 0; c < k; c++) {
      const count = counts[c];
      if (!count) restart(c);
      else
        centers.set(
          sums.subarray(c * width, (c + 1) * width).map((sum) => sum / count),
          c * width,
        );
    }
  }
  onProgress?.("k-means", rounds, rounds, "rounds");
  return centers;
}
