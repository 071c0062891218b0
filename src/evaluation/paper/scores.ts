/** Scores of arms over their seeds, and the ratio of two arms, each with its interval. */
import { bleuOfSums } from "../metrics/bleu.ts";
import { bootstrapSums, pairedBootstrapSums, type Statistic } from "../metrics/bootstrap.ts";
import { recallOfSums } from "../metrics/caption-retrieval.ts";
import { meteorOfSums } from "../metrics/meteor.ts";
import type { Arm, StoredValue } from "./arms.ts";

export interface Score {
  readonly mean: number;
  /** 95 % interval, if it is known. */
  readonly low?: number;
  readonly high?: number;
  /** Of each seed. */
  readonly seeds: readonly { readonly seed: number; readonly mean: number }[];
}

export interface Ratio {
  readonly mean: number;
  readonly low?: number;
  readonly high?: number;
  /** On the same examples of the same seeds. */
  readonly paired: boolean;
}

const RECALLS = ["i2t R@1", "i2t R@5", "i2t R@10", "t2i R@1", "t2i R@5", "t2i R@10"];

const STATISTICS: Readonly<Record<string, Statistic>> = {
  "BLEU-4": (sums) => 100 * (bleuOfSums(sums)[3] ?? Number.NaN),
  METEOR: (sums) => 100 * meteorOfSums(sums),
  ratio: ([part = 0, whole = 1]) => (100 * part) / whole,
};

/** What a score is computed from: rows of numbers and a function of their sums. */
interface Rows {
  readonly rows: readonly (readonly number[])[];
  readonly statistic: Statistic;
}

/** The metrics of a set: rows of recalls are seven. */
export function metricNames(results: Readonly<Record<string, StoredValue>>): string[] {
  return Object.entries(results).flatMap(([name, value]) => (isRecall(value) ? [...RECALLS, "R@mean"] : [name]));
}

function isRecall(value: StoredValue | undefined): boolean {
  return value !== undefined && "rows" in value && value.statistic === "recall";
}

/** The stored value of a metric, and its rows if it has some. */
function find(
  arm: Arm,
  set: string,
  metric: string,
): { readonly value: StoredValue; readonly rows?: Rows } | undefined {
  const results = arm.results[set] ?? {};
  const recall = Object.values(results).find(isRecall);
  const index = metric === "R@mean" ? "mean" : RECALLS.indexOf(metric);
  const value = results[metric] ?? (index === -1 ? undefined : recall);
  if (!value) return undefined;
  if ("each" in value) return { value, rows: { rows: value.each.map((one) => [one, 1]), statistic: mean } };
  if (!("rows" in value)) return { value };
  const statistic = value.statistic === "recall" ? recallOfSums(index) : STATISTICS[value.statistic];
  return { value, rows: { rows: value.rows, statistic: statistic ?? mean } };
}

const mean: Statistic = ([sum = 0, count = 1]) => sum / count;
const average = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

/** The score of an arm; all its seeds together. Undefined if no seed has it. */
export function scoreOf(arms: readonly Arm[], set: string, metric: string): Score | undefined {
  const found = arms.flatMap((arm) => {
    const one = find(arm, set, metric);
    return one ? [{ ...one, seed: arm.seed }] : [];
  });
  if (found.length === 0) return undefined;
  const seeds = found.map(({ seed, value, rows }) => ({ seed, mean: meanOf(value, rows) }));
  const rows = found.flatMap((one) => (one.rows ? [one.rows] : []));
  const [first] = rows;
  if (first && rows.length === found.length) {
    const { mean, low, high } = bootstrapSums(
      rows.flatMap((one) => one.rows),
      first.statistic,
    );
    return { mean, low, high, seeds };
  }
  const all = found.map(({ value }) => intervalOf(value));
  const known = all.every(({ low, high }) => low !== undefined && high !== undefined);
  const interval = known
    ? { low: average(all.map(({ low = 0 }) => low)), high: average(all.map(({ high = 0 }) => high)) }
    : {};
  return { mean: average(seeds.map((one) => one.mean)), ...interval, seeds };
}

function meanOf(value: StoredValue, rows: Rows | undefined): number {
  if (rows) return rows.statistic(rows.rows.reduce((sums, row) => sums.map((sum, i) => sum + (row[i] ?? 0))));
  if ("right" in value) return (100 * value.right) / value.count;
  return "mean" in value ? value.mean : Number.NaN;
}

/** Wilson's interval for a share; what is stored else. */
function intervalOf(value: StoredValue): { readonly low?: number; readonly high?: number } {
  if ("mean" in value) return { low: value.low, high: value.high };
  if (!("right" in value)) return {};
  const { right, count } = value;
  const [z2, share] = [1.96 ** 2, right / count];
  const middle = (share + z2 / (2 * count)) / (1 + z2 / count);
  const half = (1.96 / (1 + z2 / count)) * Math.sqrt((share * (1 - share)) / count + z2 / (4 * count ** 2));
  return { low: 100 * Math.max(0, middle - half), high: 100 * Math.min(1, middle + half) };
}

/**
 * Ratio of arm to twin in one metric, of the seeds that both have. Paired over the same examples where both store them; of
 * two shares by the logarithm of their ratio (Katz et al. 1978); else without an interval.
 */
export function ratioOf(arm: readonly Arm[], twin: readonly Arm[], set: string, metric: string): Ratio | undefined {
  const pairs = arm.flatMap((one) => {
    const other = twin.find(({ seed }) => seed === one.seed);
    const [a, b] = [find(one, set, metric), other && find(other, set, metric)];
    return a && b ? [{ a, b }] : [];
  });
  if (pairs.length === 0) {
    const [a, b] = [scoreOf(arm, set, metric), scoreOf(twin, set, metric)];
    return a && b && b.mean !== 0 ? { mean: a.mean / b.mean, paired: false } : undefined;
  }
  const rows = pairs.flatMap(({ a, b }) =>
    a.rows && b.rows && a.rows.rows.length === b.rows.rows.length ? [[a.rows, b.rows] as const] : [],
  );
  const statistic = rows[0]?.[0].statistic;
  if (statistic && rows.length === pairs.length) {
    const [own, others] = [rows.flatMap(([a]) => [...a.rows]), rows.flatMap(([, b]) => [...b.rows])];
    return { ...pairedBootstrapSums(own, others, statistic), paired: true };
  }
  const [a, b] = [
    average(pairs.map((pair) => meanOf(pair.a.value, pair.a.rows))),
    average(pairs.map((pair) => meanOf(pair.b.value, pair.b.rows))),
  ];
  if (b === 0) return undefined;
  return { mean: a / b, ...shareInterval(pairs.map((pair) => [pair.a.value, pair.b.value])), paired: false };
}

function shareInterval(pairs: readonly (readonly [StoredValue, StoredValue])[]): { low?: number; high?: number } {
  const sums = [0, 0, 0, 0];
  for (const [a, b] of pairs) {
    if (!("right" in a && "right" in b)) return {};
    for (const [i, add] of [a.right, a.count, b.right, b.count].entries()) sums[i] = (sums[i] ?? 0) + add;
  }
  const [x = 0, m = 1, y = 0, n = 1] = sums;
  if (x === 0 || y === 0) return {};
  const spread = 1.96 * Math.sqrt(1 / x - 1 / m + 1 / y - 1 / n);
  const log = Math.log(x / m / (y / n));
  return { low: Math.exp(log - spread), high: Math.exp(log + spread) };
}
