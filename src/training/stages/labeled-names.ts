/** Whether patch labels can be learned from these pictures. */
import type { TrainingData } from "../data/pictures.ts";
import type { Listener } from "../loop/loop.ts";

/** Names of the objects that patch labels tell apart: none if the term has no weight, or the pictures have no boxes. */
export function labeledNames(c: Listener, { train }: TrainingData, weight: number): readonly string[] {
  if (weight === 0) return [];
  if (!train.names) c.onNote?.("patchLabels is left out: these pictures do not say where their objects are");
  return train.names ?? [];
}
