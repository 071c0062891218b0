/** Which terms of a loss can be learned from these pictures: some need to know where objects are. */
import type { TrainingData } from "../data/pictures.ts";
import type { Listener } from "../loop/loop.ts";

/** The weights, with 0 for terms of `scenesOnly` where the pictures do not say where their objects are; and the names. */
export function sceneTerms<T extends Readonly<Record<string, number>>>(
  c: Listener,
  { train }: TrainingData,
  weights: T,
  scenesOnly: readonly (keyof T & string)[],
): { readonly weights: T; readonly names: readonly string[] } {
  if (train.names) return { weights, names: train.names };
  const left = scenesOnly.filter((term) => (weights[term] ?? 0) > 0);
  if (left.length > 0) c.onNote?.(`${left.join(", ")}: left out, as these pictures do not say where their objects are`);
  return { weights: { ...weights, ...Object.fromEntries(left.map((term) => [term, 0])) }, names: [] };
}

/** The weights, with 0 for `pairs` where pictures come without changed captions. */
export function pairTerm<T extends { readonly pairs: number }>(c: Listener, weights: T, hard: boolean): T {
  if (hard || weights.pairs === 0) return weights;
  c.onNote?.("pairs: left out, as these pictures have no changed captions");
  return { ...weights, pairs: 0 };
}
