import { expect, test } from "vitest";
import { readChain } from "./chain.ts";
import { planChain } from "./plan.ts";

const chain = await readChain("recipes/own");
const plan = (train: number, hours?: number) => planChain(chain, { train, validation: Math.ceil(train / 20), hours });

test("fifty pictures: small batches, a small codebook, caches no larger than the pictures", () => {
  const { chain: own, stages, codes } = plan(48, 0.5);
  expect(codes).toBe(256);
  for (const { batch, steps, epochs } of stages) {
    expect(batch).toBe(16);
    expect(steps).toBeGreaterThanOrEqual(20);
    expect(epochs).toBeLessThanOrEqual(601);
  }
  for (const { phases, definition } of own.recipes)
    for (const phase of phases) {
      const { data } = phase as unknown as { data: { cached?: number; validation: number } };
      expect(data.cached ?? 0).toBeLessThanOrEqual(48);
      expect(data.validation).toBe(3);
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

test("too few and too many pictures are refused", () => {
  expect(() => plan(20)).toThrow("expected 50 to 500,000");
  expect(() => plan(600_000)).toThrow("expected 50 to 500,000");
});
