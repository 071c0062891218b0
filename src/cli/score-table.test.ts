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
