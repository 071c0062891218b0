import { expect, test } from "vitest";
import { input, Params } from "../../graph/index.ts";
import { evaluate } from "../../runtime/reference.ts";
import { wordLocations, wordLocationsLoss } from "./word-locations.ts";

test("the last word of a phrase gets the cells, all alike", () => {
  const caption = ["a", "soccer", "ball", "above", "a", "dog"];
  const phrases = [
    { words: ["soccer", "ball"], cells: [0, 1] },
    { words: ["dog"], cells: [3] },
    { words: ["cat"], cells: [2] },
  ];
  const rows = wordLocations(caption, phrases, 8, 4);
  const nonzero = [...rows].flatMap((x, i) => (x > 0 ? [[Math.floor(i / 4), i % 4, x]] : []));
  expect(nonzero).toEqual([
    [3, 0, 0.5], // begin, a, soccer, ball
    [3, 1, 0.5],
    [6, 3, 1],
  ]);
});

test("a phrase that was cut off is left out", () => {
  expect(wordLocations(["a", "dog"], [{ words: ["dog"], cells: [0] }], 2, 4).every((x) => x === 0)).toBe(true);
});

test("only tokens with a location count, and no location at all is no loss", () => {
  const loss = wordLocationsLoss(new Params(), input("x", [1, 3, 2]), input("where", [1, 3, 4]));
  const params = (path: string): Float32Array =>
    path === "weight" ? Float32Array.of(1, 0, 0, 0, 0, 0, 0, 0) : new Float32Array(4);
  const run = (where: number[]): number =>
    evaluate([loss], { feeds: { x: [9, 9, 2, 0, 5, 5], where }, params })[0]!.data[0]!;
  const none = [0, 0, 0, 0];
  expect(run([...none, 1, 0, 0, 0, ...none])).toBeCloseTo(Math.log(1 + 3 * Math.exp(-2)), 9);
  expect(run([...none, 0, 0.5, 0.5, 0, ...none])).toBeCloseTo(Math.log(Math.exp(2) + 3), 9);
  expect(run([...none, ...none, ...none])).toBeCloseTo(0, 12);
});
