import { expect, test } from "vitest";
import { Rng } from "../../base/rng.ts";
import { bootstrap, pairedBootstrap } from "./bootstrap.ts";

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
