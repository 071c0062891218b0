import { expect, test } from "vitest";
import type { TokenModel } from "../../language/generation/index.ts";
import { textPerplexity } from "./text-perplexity.ts";

/** Says `likely` after every token with the given odds against each of the three others. */
function model(likely: number, odds: number): TokenModel {
  const logits = Float32Array.from({ length: 4 }, (_, id) => 50 + (id === likely ? Math.log(odds) : 0));
  return { context: 9, start: () => ({ read: async (tokens) => tokens.map(() => logits) }) };
}

test("a model without any idea is as perplexed as there are tokens", async () => {
  const { perplexity, tokens } = await textPerplexity(model(0, 1), [[1, 2, 3]], 3);
  expect(perplexity).toBeCloseTo(4, 5);
  expect(tokens).toBe(2);
});

test("what it foretells counts, the first token and what is beyond the length do not; short texts are left out", async () => {
  const texts = [
    [3, 2, 2, 0, 0],
    [2, 2],
  ];
  const { perplexity, tokens } = await textPerplexity(model(2, 5), texts, 3);
  expect(perplexity).toBeCloseTo(8 / 5, 5);
  expect(tokens).toBe(2);
});

test("texts of several batches all count, each with its own tokens", async () => {
  const texts = Array.from({ length: 40 }, (_, i) => [0, i % 2 === 0 ? 2 : 1]);
  const { perplexity, tokens } = await textPerplexity(model(2, 5), texts, 2);
  expect(tokens).toBe(40);
  expect(perplexity).toBeCloseTo(Math.exp((Math.log(8 / 5) + Math.log(8)) / 2), 5);
});
