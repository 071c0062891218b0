/** What caption metrics compare: one candidate and its references, tokenized, for each picture. */
import { UsageError } from "../../base/errors.ts";

export interface CaptionPair {
  readonly candidate: string;
  readonly references: readonly string[];
}

/** A corpus score and the score of each pair. */
export interface CaptionScores {
  readonly score: number;
  readonly each: readonly number[];
}

/** @throws UsageError if there is nothing to compare, or a pair without references. */
export function expectPairs(pairs: readonly CaptionPair[]): void {
  if (pairs.length === 0) throw new UsageError("caption metrics: expected at least one caption, got none.");
  const without = pairs.findIndex(({ references }) => references.length === 0);
  if (without >= 0) throw new UsageError(`caption metrics: expected references for caption ${without}, got none.`);
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
