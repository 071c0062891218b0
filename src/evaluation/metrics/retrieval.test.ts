import { expect, test } from "vitest";
import { cosine, rankedRetrieval, retrieval, unitRows } from "./retrieval.ts";

test("recall of a worked example: one query right at rank 1, one at rank 2, one at rank 3", () => {
  const scores = [
    [0.9, 0.1, 0.2],
    [0.8, 0.5, 0.1],
    [0.7, 0.6, 0.5],
  ];
  const { imageToText, textToImage, mean } = rankedRetrieval(["a", "b", "c"], (i, j) => scores[i]![j]!);
  expect(imageToText.r1).toBeCloseTo(100 / 3);
  expect(imageToText.r5).toBe(100);
  // columns: a is right at 1; b has 0.6 above 0.5; c is right at 1
  expect(textToImage.r1).toBeCloseTo(200 / 3);
  expect(mean).toBeCloseTo((100 / 3 + 100 + 100 + 200 / 3 + 100 + 100) / 6);
});

test("a candidate with the same caption is right, a tie with a wrong one is not", () => {
  const same = rankedRetrieval(["a", "a"], (i, j) => (i === j ? 0 : 1));
  expect(same.imageToText.r1).toBe(100);
  const tie = rankedRetrieval(["a", "b"], () => 1);
  expect(tie.imageToText.r1).toBe(0);
});

test("vectors are compared by their dot product", () => {
  const [a, b] = unitRows(Float32Array.of(3, 4, 0, 2), 2) as [Float32Array, Float32Array];
  expect([...a]).toEqual([Math.fround(0.6), Math.fround(0.8)]);
  expect(cosine(Float32Array.of(3, 4), Float32Array.of(6, 8))).toBeCloseTo(1);
  expect(retrieval([a, b], [a, b], ["x", "y"]).mean).toBe(100);
  expect(retrieval([a, b], [b, a], ["x", "y"]).imageToText.r1).toBe(0);
});
