import { expect, test } from "vitest";
import { Rng } from "../../base/rng.ts";
import { input } from "../../graph/index.ts";
import { evaluate } from "../../runtime/reference.ts";
import { drawSigmas, flowMatchingLoss, noisyLatents } from "./flow-matching.ts";

test("the line from data (sigma 0) to noise (sigma 1), and its direction", () => {
  const [clean, noise] = [input("clean", [3, 1, 1, 1]), input("noise", [3, 1, 1, 1])];
  const feeds = { clean: [1, 1, 1], noise: [5, 5, 5], sigmas: [0, 0.25, 1], predicted: [4, 4, 7] };
  const noisy = noisyLatents(clean, noise, input("sigmas", [3]));
  const loss = flowMatchingLoss(input("predicted", [3, 1, 1, 1]), clean, noise);
  const [x, l] = evaluate([noisy, loss], { feeds });
  expect([...x!.data]).toEqual([1, 2, 5]);
  expect(l!.data[0]).toBe(3); // (0 + 0 + 9) / 3
});

test("sigmas are within 0 and 1 with the median that the mean says", () => {
  const sigmas = drawSigmas(2001, new Rng(1)).sort();
  expect(sigmas[0]).toBeGreaterThan(0);
  expect(sigmas.at(-1)).toBeLessThan(1);
  expect(sigmas[1000]).toBeCloseTo(1 / (1 + Math.exp(-0.8)), 1);
  expect(drawSigmas(2001, new Rng(1), { mean: 0 }).sort()[1000]).toBeCloseTo(0.5, 1);
});
