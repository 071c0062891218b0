import { expect, test } from "vitest";
import { codebookHealth } from "../../evaluation/metrics/codebook-health.ts";
import { CodeWindow, UsageAlarm } from "./usage.ts";

test("health of a codebook by hand: two of four codes, one twice as often", () => {
  const { usage, perplexity, entropyBits } = codebookHealth(Int32Array.of(0, 1, 0), 4, 3);
  expect(usage).toBe(0.5);
  expect(perplexity).toBeCloseTo(2 ** (-(2 / 3) * Math.log2(2 / 3) - (1 / 3) * Math.log2(1 / 3)));
  expect(entropyBits).toEqual([0, 0, 0]);
  expect(codebookHealth(Int32Array.of(0, 1, 0, 2, 2, 2), 4, 3).distinct).toBe(1.5);
});

test("the window forgets old steps", () => {
  const window = new CodeWindow(1);
  window.add(new Int32Array(32).fill(0));
  window.add(new Int32Array(32).fill(1));
  expect(window.health(2)).toMatchObject({ usage: 0.5, perplexity: 1 });
});

test("window and alarm resume from a checkpoint as if nothing had happened", () => {
  const codes = 7;
  const step = (i: number): Int32Array => Int32Array.from({ length: 64 }, (_, k) => (i < 6 ? (k * i) % codes : 3));
  const said = (stopAt: number): unknown[] => {
    let [window, alarm] = [new CodeWindow(3), new UsageAlarm()];
    return Array.from({ length: 12 }, (_, i) => {
      if (i === stopAt) {
        const [ids, state] = [window.state(), alarm.state(codes)];
        [window, alarm] = [new CodeWindow(3), new UsageAlarm()];
        window.restore(ids);
        alarm.restore(state, codes);
      }
      window.add(step(i));
      const health = window.health(codes);
      return [health, window.full && alarm.check(health.usage)];
    });
  };
  const whole = said(-1);
  expect(whole.flat().filter((news) => typeof news === "string")).toHaveLength(1);
  for (let stopAt = 0; stopAt < 12; stopAt++) expect(said(stopAt), `stopped at ${stopAt}`).toEqual(whole);
});

test("falling usage is warned of once, and again after it recovered", () => {
  const alarm = new UsageAlarm();
  expect([0.2, 0.8, 0.5, 0.41].map((usage) => alarm.check(usage))).toEqual(Array(4).fill(undefined));
  expect(alarm.check(0.3)).toBe('codebook usage fell to 30.0 % from 80.0 %. Try learn "ema" and reviveAfter 100.');
  expect([0.2, 0.6].map((usage) => alarm.check(usage))).toEqual([undefined, undefined]);
  expect(alarm.check(0.1)).toContain("fell to 10.0 %");
});
