import { expect, test } from "vitest";
import { combinePatches, mergePatch } from "./merge-patch.ts";

test("objects are merged, null removes, lists and values replace", () => {
  const target = { a: { b: 1, c: [1, 2] }, d: "x" };
  expect(mergePatch(target, { a: { c: [3], e: { f: null, g: 2 } }, d: null })).toEqual({
    a: { b: 1, c: [3], e: { g: 2 } },
  });
  expect(target.d).toBe("x");
});

test("two patches in one", () => {
  const target = { a: { b: 1, c: 2 }, d: 3 };
  const [first, second] = [{ a: { b: null, e: 4 } }, { a: { c: null, b: 5 }, d: null }];
  expect(combinePatches(first, second)).toEqual({ a: { b: 5, c: null, e: 4 }, d: null });
  expect(mergePatch(target, combinePatches(first, second))).toEqual(mergePatch(mergePatch(target, first), second));
});
