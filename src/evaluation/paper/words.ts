/** Numbers and verdicts of the scorecard as text. */
import type { JudgedClaim } from "./claims.ts";
import type { Ratio, Score } from "./scores.ts";
import type { PaperTable } from "./tables.ts";

export const NOT_RUN = "not run";

/** "93.7 (92.9 to 94.4)". */
export function scoreText(score: Score | undefined): string {
  if (!score) return NOT_RUN;
  const { mean, low, high } = score;
  return low === undefined || high === undefined
    ? mean.toFixed(1)
    : `${mean.toFixed(1)} (${low.toFixed(1)} to ${high.toFixed(1)})`;
}

/** "0.981 (0.975 to 0.988)". */
export function ratioText(ratio: Ratio | undefined): string {
  if (!ratio) return NOT_RUN;
  const { mean, low, high } = ratio;
  return low === undefined || high === undefined
    ? mean.toFixed(3)
    : `${mean.toFixed(3)} (${low.toFixed(3)} to ${high.toFixed(3)})`;
}

/** "1", "1 to 3: 93.1, 93.7, 94.0": of several seeds each one's score. */
export function seedsText({ seeds }: Pick<Score, "seeds">): string {
  const numbers = seeds.map(({ seed }) => seed).join(", ");
  return seeds.length < 2 ? numbers : `${numbers}: ${seeds.map(({ mean }) => mean.toFixed(1)).join(", ")}`;
}

/** "0.98: reached"; a goal in percent is one of the arm's own score. */
export function goalText({ claim, goal }: Pick<JudgedClaim, "claim" | "goal">): string {
  if (goal === "none") return "";
  const wanted = claim.goalPercent === undefined ? String(claim.goal) : `${claim.goalPercent} %`;
  return `${wanted}: ${goal}`;
}

/** Sentences on what was counted, for the head of the page. */
export function summary(claims: readonly JudgedClaim[]): string {
  const kinds = ["reproduced", "not reproduced", "reversed", NOT_RUN] as const;
  const counts = kinds.map((kind) => `${kind}: ${claims.filter(({ verdict }) => verdict === kind).length}`);
  return `Of ${claims.length} claims, ${counts.join(", ")}.`;
}

/** The line above a table. */
export function heading({ source, ratio, twin }: Pick<PaperTable, "source" | "ratio" | "twin">): string {
  const after = source === undefined ? "The papers have no such table." : `After ${source}.`;
  return `${after} Ratio: ${ratio}, to ${twin}.`;
}
