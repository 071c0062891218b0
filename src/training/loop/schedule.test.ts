import { expect, test } from "vitest";
import { rateAt } from "./schedule.ts";

const schedule = { steps: 110, warmup: 10, peak: 1, floor: 0.1 };

test("the rate rises linearly, then falls along half a cosine to its floor", () => {
  expect(rateAt(1, schedule)).toBeCloseTo(0.1);
  expect(rateAt(10, schedule)).toBe(1);
  expect(rateAt(60, schedule)).toBeCloseTo(0.55);
  expect(rateAt(110, schedule)).toBeCloseTo(0.1);
  expect(rateAt(500, schedule)).toBeCloseTo(0.1);
});
