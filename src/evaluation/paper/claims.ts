/** What the papers claim, as ratios of twins, and the rule by which a verdict is computed. */
import type { Arm } from "./arms.ts";
import { type Ratio, ratioOf, type Score, scoreOf } from "./scores.ts";
import type { TableId } from "./tables.ts";

export interface Claim {
  readonly id: string;
  readonly text: string;
  readonly table: TableId;
  readonly set: string;
  readonly metric: string;
  readonly arm: string;
  readonly twin: string;
  readonly losses?: Arm["losses"];
  /** "keeps": the arm has at least this share of the twin; "beats": it has more than the twin. */
  readonly kind: "keeps" | "beats";
  /** The paper's ratio, and how it is computed. */
  readonly paper: number;
  /** The share that a "keeps" claim is about, where it is not the paper's ratio. */
  readonly share?: number;
  readonly figures: string;
  /** This project's own goal, as a ratio, or as a score of the arm in percent. */
  readonly goal?: number;
  readonly goalPercent?: number;
}

/** The interval of a "keeps" claim may begin this much below the paper's share. */
export const MARGIN = 0.05;

export const RULE =
  `A ratio is arm / twin at the same budget on the same examples, with a paired 95 % bootstrap interval. A claim that an arm ` +
  `keeps a share of its twin is reproduced if the interval reaches the paper's share (all of it, for the causal mask) and begins no more than ${MARGIN} below ` +
  `it; where that share is 1, it is reversed if the whole interval is below 1. A claim that an arm beats its twin is ` +
  `reproduced if the whole interval is above 1, and reversed if the whole interval is below 1. Anything else is not ` +
  `reproduced. Without an interval the ratio itself stands for it. Goals are compared with the ratio or score itself.`;

const R1000 = "test, 1,000 candidates";
const R5000 = "test, 5,000 candidates";

export const CLAIMS: readonly Claim[] = [
  {
    id: "causal-mask",
    text: "the causal mask costs nothing in retrieval",
    ...{ table: "retrieval", set: R1000, metric: "R@mean", arm: "causal-embeddings", twin: "bilateral-embeddings" },
    ...{ losses: "published", kind: "keeps", paper: 1.009, share: 1, figures: "93.7 : 92.9", goal: 1 },
  },
  {
    id: "codes-keep-1000",
    text: "codes keep the retrieval of causal embeddings, 1,000 candidates",
    ...{ table: "retrieval", set: R1000, metric: "R@mean", arm: "causal-codes", twin: "causal-embeddings" },
    ...{ losses: "published", kind: "keeps", paper: 0.979, figures: "91.7 : 93.7", goal: 0.98 },
  },
  {
    id: "codes-keep-5000",
    text: "codes keep the retrieval of causal embeddings, 5,000 candidates",
    ...{ table: "retrieval", set: R5000, metric: "R@mean", arm: "causal-codes", twin: "causal-embeddings" },
    ...{ losses: "published", kind: "keeps", paper: 0.959, figures: "77.4 : 80.7", goal: 0.98 },
  },
  {
    id: "codes-keep-ours",
    text: "the same with our losses",
    ...{ table: "retrieval", set: R1000, metric: "R@mean", arm: "causal-codes", twin: "causal-embeddings" },
    ...{ losses: "ours", kind: "keeps", paper: 0.979, figures: "91.7 : 93.7", goal: 0.99 },
  },
  {
    id: "pictures-caption",
    text: "pictures from codes are as near to the original as pictures from the caption",
    ...{ table: "generation", set: "test", metric: "judge similarity", arm: "codes-ours", twin: "caption" },
    ...{ kind: "keeps", paper: 0.997, figures: "68.23 : 68.43", goal: 1 },
  },
  {
    id: "pictures-gill",
    text: "pictures from codes are nearer than GILL's",
    ...{ table: "generation", set: "test", metric: "judge similarity", arm: "codes-ours", twin: "gill" },
    ...{ kind: "beats", paper: 1.012, figures: "68.23 : 67.45" },
  },
  {
    id: "captions",
    text: "captions from codes keep the CIDEr of continuous features",
    ...{ table: "understanding", set: "test", metric: "CIDEr-D", arm: "codes", twin: "continuous" },
    ...{ kind: "keeps", paper: 0.908, figures: "119.0 : 131.0", goal: 0.95 },
  },
  {
    id: "vqa",
    text: "answers from codes keep the VQA accuracy of continuous features",
    ...{ table: "understanding", set: "test", metric: "VQA accuracy", arm: "codes", twin: "continuous" },
    ...{ kind: "keeps", paper: 0.825, figures: "42.8 : 51.9", goal: 0.92 },
  },
  {
    id: "gqa",
    text: "answers from codes keep the exact matches of continuous features",
    ...{ table: "understanding", set: "test", metric: "exact match", arm: "codes", twin: "continuous" },
    ...{ kind: "keeps", paper: 0.883, figures: "28.8 : 32.6" },
  },
  {
    id: "semantic-codes",
    text: "semantic codes make better captions than pixel codes",
    ...{ table: "understanding", set: "test", metric: "CIDEr-D", arm: "codes", twin: "pixel-codes" },
    ...{ kind: "beats", paper: 1.235, figures: "42.0 : 34.0", goal: 1.3 },
  },
  {
    id: "causality",
    text: "causal codes are written whole without a rule, bilateral ones often not",
    ...{
      table: "causality",
      set: "5,000 prompts",
      metric: "whole pictures",
      arm: "causal-codes",
      twin: "bilateral-codes",
    },
    ...{ kind: "beats", paper: 2.342, figures: "4,997 : 2,134", goalPercent: 100 },
  },
];

export type Verdict = "reproduced" | "not reproduced" | "reversed" | "not run";

export interface JudgedClaim {
  readonly claim: Claim;
  readonly ratio?: Ratio;
  readonly arm?: Score;
  readonly twin?: Score;
  readonly verdict: Verdict;
  readonly goal: "reached" | "missed" | "none" | "not run";
}

export function verdictOf(
  { kind, paper, share = paper }: Pick<Claim, "kind" | "paper" | "share">,
  ratio: Ratio | undefined,
): Verdict {
  if (!ratio) return "not run";
  const { mean, low = mean, high = mean } = ratio;
  if (kind === "beats") return low > 1 ? "reproduced" : high < 1 ? "reversed" : "not reproduced";
  if (high >= share && low >= share - MARGIN) return "reproduced";
  return share >= 1 && high < 1 ? "reversed" : "not reproduced";
}

export function judge(claim: Claim, all: readonly Arm[]): JudgedClaim {
  const of = (id: string): Arm[] =>
    all.filter((one) => one.table === claim.table && one.arm === id && one.losses === (claim.losses ?? "ours"));
  const [own, other] = [of(claim.arm), of(claim.twin)];
  const ratio = ratioOf(own, other, claim.set, claim.metric);
  const [arm, twin] = [own, other].map((arms) => scoreOf(arms, claim.set, claim.metric));
  const reached = (got: number | undefined, goal: number): JudgedClaim["goal"] =>
    got === undefined ? "not run" : got >= goal ? "reached" : "missed";
  const { goal, goalPercent } = claim;
  const goals =
    goalPercent !== undefined
      ? reached(arm?.mean, goalPercent)
      : goal !== undefined
        ? reached(ratio?.mean, goal)
        : "none";
  return { claim, ratio, arm, twin, verdict: verdictOf(claim, ratio), goal: goals };
}
