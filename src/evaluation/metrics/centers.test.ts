import { expect, test } from "vitest";
import { seenPicture } from "./centers.ts";

const names = { nouns: ["cat", "dog"], backgrounds: ["red", "blue"], cell: 4, threshold: 0.5 };

/** Logits of two pictures of 4 x 4 cells; the second is empty. */
function logits(found: readonly (readonly [noun: number, row: number, column: number, logit: number])[]): Float32Array {
  const centers = new Float32Array(2 * 2 * 16).fill(-9);
  for (const [noun, row, column, logit] of found) centers[noun * 16 + row * 4 + column] = logit;
  return centers;
}
const colors = Float32Array.from([1, 0, 0, 1, 0, 2, 3, 0]);

test("peaks of each picture, likeliest first, at the centers of their cells", () => {
  const centers = logits([
    [0, 0, 0, 1],
    [1, 3, 2, 2],
  ]);
  const { objects, background } = seenPicture(centers, colors, 4, names);
  expect(objects.map(({ noun, x, y }) => [noun, x, y])).toEqual([
    ["dog", 10, 14],
    ["cat", 2, 2],
  ]);
  expect(objects[0]?.probability).toBeCloseTo(1 / (1 + Math.exp(-2)), 6);
  expect(background).toEqual(["red", "blue"]);
  expect(seenPicture(centers, colors, 4, names, 1)).toEqual({ objects: [], background: ["blue", "red"] });
});

test("one object is not seen twice: neither in a neighboring cell, nor as two nouns, nor where two cells tie", () => {
  const seen = seenPicture(
    logits([
      [0, 1, 1, 3],
      [0, 1, 2, 2],
      [1, 1, 1, 1],
      [1, 2, 0, 2.5],
      [1, 3, 3, 4],
      [0, 3, 2, 4],
    ]),
    colors,
    4,
    names,
  );
  expect(seen.objects.map(({ noun, x, y }) => [noun, x, y])).toEqual([
    ["cat", 10, 14],
    ["cat", 6, 6],
  ]);
});

test("what is less likely than the threshold is not seen", () => {
  const centers = logits([[0, 0, 0, 1]]);
  expect(seenPicture(centers, colors, 4, { ...names, threshold: 0.74 }).objects).toEqual([]);
  expect(seenPicture(centers, colors, 4, { ...names, threshold: 0.72 }).objects).toHaveLength(1);
});
