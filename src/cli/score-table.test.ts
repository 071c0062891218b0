import { expect, test } from "vitest";
import { formatScores } from "./score-table.ts";

test("single values, tables of what has the same values, and no lists of examples", () => {
  const scores = {
    nouns: 44,
    "questions test": {
      questions: 940,
      seeing: 54.8936,
      kinds: { color: { questions: 42, seeing: 30.96 }, count: { questions: 100, seeing: 89 } },
      examples: [{ said: "a cat" }],
    },
    reconstruction: { fromCodes: 0.66039, fromFirst: { "4": 0.2351, "16": 0.5688 } },
    codebook: { entropyBits: [10, 11], perplexity: 5002.5 },
  };
  expect(formatScores(scores)).toEqual([
    "nouns  44",
    "",
    "questions test",
    "  questions   940",
    "  seeing     54.9",
    "         questions  seeing",
    "  color         42    31.0",
    "  count        100    89.0",
    "",
    "reconstruction",
    "  from codes     0.660",
    "  from first 4   0.235",
    "  from first 16  0.569",
    "",
    "codebook",
    "  mean entropy of a code, bits  10.5",
    "  perplexity                    5003",
  ]);
});

test("intervals stand in one cell, and what could not be measured is a dash", () => {
  const interval = (mean: number) => ({ mean, low: mean - 2.5, high: mean + 1 });
  const nothing = { mean: Number.NaN, low: Number.NaN, high: Number.NaN };
  const judged = {
    pictures: 200,
    originals: { objectsFound: interval(94.8), countsRight: interval(95) },
    flatGray: { objectsFound: interval(3.3), countsRight: nothing },
  };
  expect(formatScores({ judged })).toEqual([
    "",
    "judged",
    "  pictures  200",
    "                   objects found         counts right",
    "  originals  94.8 (92.3 to 95.8)  95.0 (92.5 to 96.0)",
    "  flat gray     3.3 (0.8 to 4.3)                    -",
  ]);
});
