/** Which terms of a loss can be learned from these pictures: some need to know where objects are. */
import type { TrainingData } from "../data/pictures.ts";
import type { Listener } from "../loop/loop.ts";

/** Names of the objects that patch labels tell apart: none if the term has no weight, or the pictures have no boxes. */
export function labeledNames(c: Listener, { train }: TrainingData, weight: number): readonly string[] {
  if (weight === 0) return [];
  if (!train.names) c.onNote?.("patchLabels is left out: these pictures do not say where their objects are");
  return train.names ?? [];
}

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
