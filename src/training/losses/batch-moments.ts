/** Statistics of a whole batch, also where it is computed in shares. */
import type { Tensor } from "../../graph/index.ts";
import type { WholeBatch } from "../loop/whole-batch.ts";

/**
 * Mean and variance over axes, of which the first has to be one; the axes stay with length 1. Shares exchange their own
 * moments, which are combined as in Chan, Golub & LeVeque 1983: squares of large means never cancel.
 */
export function batchMoments(
  x: Tensor,
  axes: readonly number[],
  whole: WholeBatch,
): { readonly mean: Tensor; readonly variance: Tensor } {
  const mean = x.mean(axes, true);
  const variance = x.sub(mean).square().mean(axes, true);
  if (whole.shares === 1) return { mean, variance };
  const means = whole.rows(mean); // [shares,...]
  const center = means.mean(0, true);
  const between = means.sub(center).square();
  return { mean: center, variance: whole.rows(variance).add(between).mean(0, true) };
}
