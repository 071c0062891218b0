/** The start of a codebook where the data is: k-means on two vectors a code. */
import { Rng } from "../../base/rng.ts";
import type { Training, Value, Values } from "../../runtime/index.ts";
import type { Work } from "../loop/loop.ts";
import { joinRows, namedValue } from "../loop/values.ts";
import { CODEBOOK } from "./keeper.ts";
import { kmeans } from "./kmeans.ts";

export interface MeansOptions {
  /** Codes, and their width. */
  readonly codes: number;
  readonly width: number;
  /** Vectors of a batch, which a forward pass gives as `z`. */
  readonly vectors: number;
  readonly seed: number;
  /** Feeds of batch i. */
  readonly feeds: (i: number, rng: Rng) => Promise<Values>;
}

export async function startAtMeans(training: Training, options: MeansOptions, work: Work): Promise<void> {
  const { codes, width, vectors: each, seed, feeds } = options;
  const vectors: Value[] = [];
  const rng = new Rng(seed);
  for (let i = 0; i * each < 2 * codes; i++) {
    work.signal?.throwIfAborted();
    work.onProgress?.("collecting vectors", i * each, 2 * codes, "vectors");
    vectors.push(namedValue(await training.forward(await feeds(i, rng)), "z"));
  }
  const settings = { width, centers: codes, rounds: 8, rng: new Rng(seed) };
  await training.writeOne("param", CODEBOOK, await kmeans(joinRows(vectors), settings, work));
}
