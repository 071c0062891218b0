import { expect, test } from "vitest";
import { featureIds } from "./feature-rows.ts";

test("image tokens of a picture become its rows, and its marks the first two", () => {
  // vocabulary 10, 3 vectors a picture: ids 10..12 are vectors, 13 and 14 the marks.
  const written = [1, 13, 10, 11, 12, 14, 5];
  expect(featureIds(written, 0, { vocabulary: 10, queries: 3 })).toEqual([1, 10, 12, 13, 14, 11, 5]);
  expect(featureIds(written, 2, { vocabulary: 10, queries: 3 })).toEqual([1, 10, 18, 19, 20, 11, 5]);
});
