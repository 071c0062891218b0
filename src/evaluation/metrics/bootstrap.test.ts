import { expect, test } from "vitest";
import { Rng } from "../../base/rng.ts";
import {
  bootstrap,
  bootstrapRatio,
  bootstrapShare,
  bootstrapSums,
  pairedBootstrap,
  pairedBootstrapSums,
  pairedRatio,
} from "./bootstrap.ts";

test("an interval is about two standard errors each way, and the same for the same seed", () => {
  const rng = new Rng(5);
  const values = Array.from({ length: 400 }, () => (rng.next() < 0.3 ? 1 : 0));
  const { mean, low, high } = bootstrap(values);
  const error = Math.sqrt((mean * (1 - mean)) / 400);
  expect(high - mean).toBeCloseTo(1.96 * error, 1);
  expect(mean - low).toBeCloseTo(1.96 * error, 1);
  expect(bootstrap(values)).toEqual({ mean, low, high });
});

test("95 of 100 intervals hold the true mean", () => {
  const rng = new Rng(9);
  let held = 0;
  for (let run = 0; run < 200; run++) {
    const values = Array.from({ length: 60 }, () => rng.next());
    const { low, high } = bootstrap(values, { resamples: 300, seed: run });
    if (low <= 0.5 && 0.5 <= high) held++;
  }
  expect(held).toBeGreaterThan(180);
  expect(held).toBeLessThan(200);
});

test("paired arms: a small steady difference is sure although the values vary much", () => {
  const rng = new Rng(3);
  const b = Array.from({ length: 200 }, () => 10 * rng.next());
  const a = b.map((value) => value + 0.1 + 0.02 * rng.next());
  expect(pairedBootstrap(a, b).low).toBeGreaterThan(0.1);
  expect(() => pairedBootstrap([1], [1, 2])).toThrow("same examples");
  expect(() => bootstrap([])).toThrow("at least one value");
});

test("a score of sums: an F1 of resampled examples, not a mean of F1s", () => {
  const rng = new Rng(11);
  // right, named, shown
  const rows = Array.from({ length: 300 }, () => (rng.next() < 0.7 ? [1, 1, 1] : [0, 1, 1]));
  const f1 = ([right = 0, named = 0, shown = 0]: readonly number[]): number => (2 * right) / (named + shown);
  const { mean, low, high } = bootstrapSums(rows, f1);
  expect(mean).toBeCloseTo(rows.filter(([right]) => right === 1).length / 300, 12);
  expect(low).toBeLessThan(mean);
  expect(high - low).toBeCloseTo(2 * 1.96 * Math.sqrt((mean * (1 - mean)) / 300), 1);
  expect(() => bootstrapSums([], f1)).toThrow("at least one value");
});

test("the ratio of two arms on the same examples is surer than that of two independent ones", () => {
  const rng = new Rng(13);
  const b = Array.from({ length: 200 }, () => 1 + 9 * rng.next());
  const a = b.map((value) => 0.9 * value * (1 + 0.01 * (rng.next() - 0.5)));
  const paired = pairedRatio(a, b);
  expect(paired.mean).toBeCloseTo(0.9, 2);
  expect(paired.high - paired.low).toBeLessThan(0.01);
  const rows = (values: number[]): number[][] => values.map((value) => [value, 1]);
  const mean = ([sum = 0, count = 1]: readonly number[]): number => sum / count;
  expect(pairedBootstrapSums(rows(a), rows(b), mean).low).toBeCloseTo(paired.low, 10);
  const difference = pairedBootstrapSums(rows(a), rows(b), mean, { compare: (own, other) => own - other });
  expect(difference.mean).toBeCloseTo(pairedBootstrap(a, b).mean, 10);
  expect(() => pairedRatio([1], [1, 2])).toThrow("same examples");
});

test("shares of examples of unequal size, and their ratio on the same examples", () => {
  const all = Array.from({ length: 60 }, (_, i) => ({ right: i % 3 === 0 ? 0 : 1, of: 1 + (i % 2) }));
  expect(bootstrapShare(all).mean).toBeCloseTo(40 / 90, 12); // not the mean of the examples' shares
  const half = all.map(({ right, of }) => ({ right: right / 2, of }));
  const ratio = bootstrapRatio(half, all);
  for (const value of [ratio.mean, ratio.low, ratio.high]) expect(value).toBeCloseTo(0.5, 9); // paired: no spread
  expect(bootstrapShare([{ right: 0, of: 0 }])).toEqual({ mean: Number.NaN, low: Number.NaN, high: Number.NaN });
  expect(() => bootstrapRatio(all, all.slice(1))).toThrow("same examples");
});
