import { expect, test } from "vitest";
import { heldOut } from "../data/own-pictures.ts";
import { readChain } from "./chain.ts";
import { planChain, plannedStages } from "./plan.ts";

const chain = await readChain("recipes/own");
function plan(pictures: number, hours?: number) {
  const validation = heldOut(pictures);
  const train = pictures - validation;
  const planned = planChain(chain, { train, validation, hours });
  return { ...planned, stages: plannedStages(planned.chain, train) };
}

test("fifty pictures: small batches, a small codebook, caches no larger than the pictures", () => {
  const { chain: own, stages, codes } = plan(50, 0.5);
  expect(codes).toBe(256);
  for (const { batch, steps, epochs } of stages) {
    expect(batch).toBe(16);
    expect(steps).toBeGreaterThanOrEqual(20);
    expect(epochs).toBeLessThanOrEqual(601);
  }
  for (const { phases, definition } of own.recipes)
    for (const phase of phases) {
      const { data } = phase as unknown as { data: { cached?: number; validation: number } };
      expect(data.cached ?? 0).toBeLessThanOrEqual(42);
      expect(data.validation).toBe(8);
      expect(phase.warmup).toBeLessThanOrEqual(Math.ceil(phase.steps / 10));
      expect(definition.recipe.safeParse(phase).success).toBe(true);
    }
});

test("the hours are kept where pictures are many, and more hours are more steps", () => {
  const minutes = (hours: number): number => plan(100_000, hours).stages.reduce((sum, stage) => sum + stage.minutes, 0);
  expect(minutes(2)).toBeCloseTo(120, -1);
  expect(minutes(8)).toBeCloseTo(480, -1);
  expect(plan(100_000).codes).toBe(8192);
  expect(plan(100_000).stages.map(({ batch }) => batch)).toEqual(
    chain.recipes.map(({ phases }) => 2 ** Math.floor(Math.log2(phases[0]!.batch))),
  );
});

test("a tenth of the pictures is held out, at least 8 of 50, at most 1,000", () => {
  const counts = [9, 10, 49, 50, 80, 81, 5000, 500_000];
  expect(counts.map(heldOut)).toEqual([0, 1, 4, 8, 8, 9, 500, 1000]);
});

test("a run of few steps is evaluated once, at its end", () => {
  const phases = plan(50, 0.001).chain.recipes.flatMap(({ phases }) => phases);
  expect(new Set(phases.map(({ steps, evaluateEvery }) => evaluateEvery / steps))).toEqual(new Set([1]));
  for (const { steps, evaluateEvery } of plan(5000, 2).chain.recipes.flatMap(({ phases }) => phases))
    expect(evaluateEvery).toBeLessThanOrEqual(Math.ceil(steps / 4));
});

test("too few and too many pictures are refused", () => {
  expect(() => plan(20)).toThrow("expected 50 to 500,000");
  expect(() => plan(600_000)).toThrow("expected 50 to 500,000");
});
