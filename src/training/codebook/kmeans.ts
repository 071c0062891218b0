/** k-means on rows of floats, to start a codebook where the data is. Lloyd 1982, from random rows. */
import type { Rng } from "../../base/rng.ts";
import { input, type Tensor } from "../../graph/index.ts";
import type { Runtime } from "../../runtime/index.ts";
import type { Work } from "../loop/loop.ts";
import { addRow } from "../loop/values.ts";

/** Distances that are computed at once: 16 MB of them. */
const DISTANCES = 4 * 1024 ** 2;

export interface KmeansOptions {
  readonly width: number;
  /** How many centers. */
  readonly centers: number;
  readonly rounds: number;
  readonly rng: Rng;
  /** Computes the distances. */
  readonly runtime: Runtime;
}

/**
 * Centers of the rows, f32 [n,width] -> f32 [centers,width]. A center that loses all its rows starts again at a random row.
 * @throws the reason of `signal` soon after it is aborted
 */
export async function kmeans(
  rows: Float32Array,
  { width, centers: k, rounds, rng, runtime }: KmeansOptions,
  { signal, onProgress }: Work = {},
): Promise<Float32Array> {
  const n = rows.length / width;
  const centers = new Float32Array(k * width);
  const restart = (c: number): void => {
    const i = rng.int(n);
    centers.set(rows.subarray(i * width, (i + 1) * width), c * width);
  };
  for (let c = 0; c < k; c++) restart(c);
  const piece = Math.min(n, Math.max(1, Math.floor(DISTANCES / k)));
  const program = await runtime.compile({ owner: nearest(piece, k, width) });
  try {
    for (let round = 0; round < rounds; round++) {
      onProgress?.("k-means", round, rounds, "rounds");
      const sums = new Float64Array(k * width);
      const counts = new Float64Array(k);
      for (let start = 0; start < n; start += piece) {
        signal?.throwIfAborted();
        const some = new Float32Array(piece * width); // the last rows do not fill it
        some.set(rows.subarray(start * width, (start + piece) * width));
        const { owner } = await program.run({
          rows: { shape: [piece, width], data: some },
          centers: { shape: [k, width], data: centers },
        });
        for (let i = start; i < Math.min(start + piece, n); i++) {
          const c = Number(owner?.data[i - start]);
          counts[c]! += 1;
          addRow(sums, c, rows, i, width);
        }
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
  } finally {
    await program.close();
  }
  onProgress?.("k-means", rounds, rounds, "rounds");
  return centers;
}

/** The center nearest to each row, i32 [rows]. */
function nearest(rows: number, centers: number, width: number): Tensor {
  const [x, c] = [input("rows", [rows, width]), input("centers", [centers, width])];
  return c
    .square()
    .sum(1)
    .sub(x.matmul(c, { transB: true, alpha: 2 }))
    .argmin();
}
