/** A loss as a weighted sum of terms. */
import type { Tensor } from "../../graph/index.ts";

/** Name, value and weight of one term of a loss. */
export type LossTerm = readonly [name: string, value: Tensor, weight: number];

export function weightedSum(terms: readonly LossTerm[]): Tensor {
  return terms.map(([, value, weight]) => value.mul(weight)).reduce((a, b) => a.add(b));
}

/** The terms before weighting, to be logged as `<name>Loss`; none if there is but one, which is the loss. */
export function termMetrics(terms: readonly LossTerm[]): Record<string, Tensor> {
  return terms.length > 1 ? Object.fromEntries(terms.map(([name, value]) => [`${name}Loss`, value])) : {};
}
