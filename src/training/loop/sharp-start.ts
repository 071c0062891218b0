/**
 * Cross-attention that is sharp from the start. With the usual N(0, 0.02) all scores are nearly equal: every query sees
 * the mean of its context, and queries that have to learn what is where stay on a plateau for long. Here scores have a
 * deviation of `sharpness` at the start, and the attended values have the deviation of the stream. Where queries and
 * context have the same width both are projected alike, so a query attends to what resembles it, and queries that begin as sums of
 * positions attend to those (`regions.ts`). The architecture is unchanged; ours.
 */
import { item } from "../../base/item.ts";
import { normal, type Params, paramAttrs } from "../../graph/index.ts";
import { initialValues } from "../../nn/index.ts";

const CROSS = /(?:^|\.)crossattention\.(?:self\.(query|key|value)|output\.dense)\.weight$/;

/**
 * First values of every cross-attention declared in `params`, for a context of deviation 1 (normalized) and queries of
 * deviation 1 (after a norm). Hand them to the loop as first values of a stage that begins from scratch.
 */
export function sharpStart(params: Params, seed: number, sharpness: number): Map<string, Float32Array> {
  const values = new Map<string, Float32Array>();
  for (const tensor of params.declared().values()) {
    const { path, shape } = paramAttrs(tensor);
    if (CROSS.test(path)) values.set(path, initialValues(path, shape, normal(item(shape, 1) ** -0.5), seed));
  }
  for (const [path, own] of values) {
    if (CROSS.exec(path)?.[1] !== "query") continue;
    const key = values.get(path.replace(/query\.weight$/, "key.weight"));
    const like = key?.length === own.length ? key : own;
    values.set(
      path,
      like.map((x) => x * sharpness),
    );
  }
  return values;
}
