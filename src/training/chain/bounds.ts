/** Compares the scores of a run with what its chain expects. */
import type { Bound } from "./chain.ts";
import type { Scores } from "./training-json.ts";

export interface Comparison {
  /** "clip/recallMean". */
  readonly score: string;
  /** Undefined if nothing of that name was measured. */
  readonly got: number | undefined;
  readonly bound: Bound;
  readonly reached: boolean;
}

/** A bound may be missed by a share `tolerance` of it. A score that was not measured is missed. */
export function compareScores(
  scores: Scores,
  expected: Readonly<Record<string, Bound>>,
  tolerance: number,
): readonly Comparison[] {
  return Object.entries(expected).map(([score, bound]) => {
    const got = scoreAt(scores, score.split("/"));
    const { atLeast = Number.NEGATIVE_INFINITY, atMost = Number.POSITIVE_INFINITY } = bound;
    const slack = (limit: number): number => (Number.isFinite(limit) ? Math.abs(limit) * tolerance : 0);
    const reached = got !== undefined && got >= atLeast - slack(atLeast) && got <= atMost + slack(atMost);
    return { score, got, bound, reached };
  });
}

function scoreAt(scores: unknown, path: readonly string[]): number | undefined {
  const found = path.reduce<unknown>((at, name) => (at as Record<string, unknown> | null | undefined)?.[name], scores);
  return typeof found === "number" ? found : undefined;
}

/** "clip/recallMean: 93.2, expected at least 95". */
export function comparisonText({ score, got, bound: { atLeast, atMost } }: Comparison): string {
  const limits = [
    ...(atLeast === undefined ? [] : [`at least ${atLeast}`]),
    ...(atMost === undefined ? [] : [`at most ${atMost}`]),
  ];
  return `${score}: ${got === undefined ? "not measured" : Number(got.toPrecision(4))}, expected ${limits.join(" and ")}`;
}
