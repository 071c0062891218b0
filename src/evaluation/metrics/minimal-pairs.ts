/** Whether pictures are nearer to their caption than to one with a single change that makes it false. */
import { dot } from "../../base/vectors.ts";

export interface ScoredPair {
  readonly kind: string;
  /** Unit vectors of one space. */
  readonly image: Float32Array;
  readonly text: Float32Array;
  readonly wrong: Float32Array;
}

/** Percent right by kind; chance is 50, and a tie is wrong. */
export function minimalPairAccuracy(pairs: readonly ScoredPair[]): Record<string, number> {
  return byKind(pairs, ({ image, text, wrong }) => (dot(image, text) > dot(image, wrong) ? 100 : 0));
}

/** Mean cosine of true and false caption by kind: near 1 where the text encoder does not see the change. */
export function captionCosine(pairs: readonly Omit<ScoredPair, "image">[]): Record<string, number> {
  return byKind(pairs, ({ text, wrong }) => dot(text, wrong));
}

function byKind<T extends { readonly kind: string }>(
  pairs: readonly T[],
  value: (pair: T) => number,
): Record<string, number> {
  const groups = new Map<string, number[]>();
  for (const pair of pairs) groups.set(pair.kind, [...(groups.get(pair.kind) ?? []), value(pair)]);
  return Object.fromEntries(
    [...groups].map(([kind, values]) => [kind, values.reduce((a, b) => a + b, 0) / values.length]),
  );
}
