import { expect, test } from "vitest";
import { clipSimilarities } from "./clip-similarity.ts";

test("cosine in percent, whatever the length of the vectors", () => {
  const same = clipSimilarities(
    [Float32Array.of(3, 4), Float32Array.of(1, 0)],
    [Float32Array.of(6, 8), Float32Array.of(0, 2)],
  );
  expect(same[0]).toBeCloseTo(100, 5);
  expect(same[1]).toBeCloseTo(0, 5);
  expect(() => clipSimilarities([Float32Array.of(1)], [])).toThrow("as many pictures as originals, got 1 and 0");
});
