/** The start of a codebook where the data is: k-means on two vectors a code. */
import { Rng } from "../../base/rng.ts";
import type { Runtime, Training, Value, Values } from "../../runtime/index.ts";
import type { PreparedBatch, Work } from "../loop/loop.ts";
import type { Part } from "../loop/shares.ts";
import { joinRows, namedValue } from "../loop/values.ts";
import { CODEBOOK } from "./keeper.ts";
import { kmeans } from "./kmeans.ts";

export interface MeansOptions {
  /** Codes, and their width. */
  readonly codes: number;
  readonly width: number;
  /** Vectors of an example, which a forward pass gives as `z`. */
  readonly vectors: number;
  readonly seed: number;
  readonly runtime: Runtime;
  readonly feeds: (part: Part, rng: Rng) => Promise<Values>;
}

/** On the vectors of the first whole batches, which come in parts as large as the graph takes. */
export async function startAtMeans(
  training: Training,
  { of, size, forward }: PreparedBatch,
  { codes, width, vectors: each, seed, runtime, feeds }: MeansOptions,
  work: Work,
): Promise<void> {
  const vectors: Value[] = [];
  const rng = new Rng(seed);
  const examples = Math.ceil((2 * codes) / (of * each)) * of;
  const rows = Array.from({ length: size }, (_, i) => i);
  for (let at = 0; at < examples; at += size) {
    work.signal?.throwIfAborted();
    work.onProgress?.("collecting vectors", at * each, 2 * codes, "vectors");
    const part = { examples: rows.map((row) => at + row), rows, of: size };
    vectors.push(namedValue(await forward(await feeds(part, rng)), "z"));
  }
  const settings = { width, centers: codes, rounds: 8, rng: new Rng(seed), runtime };
  await training.writeOne("param", CODEBOOK, await kmeans(joinRows(vectors), settings, work));
}
