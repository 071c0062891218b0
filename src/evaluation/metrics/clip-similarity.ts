/** CLIP similarity of pictures: cosine of their image embeddings, in percent. Koh et al. 2023 (GILL); SEED Table 2. */
import { UsageError } from "../../base/errors.ts";
import { cosine } from "./retrieval.ts";

/** Similarity of each picture to its original, -100..100. a, b: f32 [F] each. @throws UsageError for different numbers */
export function clipSimilarities(a: readonly Float32Array[], b: readonly Float32Array[]): number[] {
  if (a.length !== b.length)
    throw new UsageError(`CLIP similarity: expected as many pictures as originals, got ${a.length} and ${b.length}.`);
  return a.map((vector, i) => 100 * cosine(vector, b[i] ?? new Float32Array(vector.length)));
}
