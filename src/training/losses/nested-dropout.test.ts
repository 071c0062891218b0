import { expect, test } from "vitest";
import { Rng } from "../../base/rng.ts";
import { input, Params } from "../../graph/index.ts";
import { evaluate } from "../../runtime/reference.ts";
import { drawPrefixes, keepPrefix } from "./nested-dropout.ts";

test("the first rows keep all codes, the others a prefix of 1 to all but one", () => {
  const [rows, codes, whole] = [400, 8, 200];
  const keep = drawPrefixes(rows, codes, whole, new Rng(3));
  const lengths = Array.from({ length: rows }, (_, b) => {
    const row = [...keep.subarray(b * codes, (b + 1) * codes)];
    const length = row.reduce((a, x) => a + x, 0);
    expect(row).toEqual(row.map((_, k) => (k < length ? 1 : 0)));
    return length;
  });
  expect(new Set(lengths)).toEqual(new Set([1, 2, 3, 4, 5, 6, 7, 8]));
  expect(lengths.map((n) => n === codes)).toEqual(lengths.map((_, b) => b < whole));
  expect(drawPrefixes(3, 8, 3, new Rng(1)).every((x) => x === 1)).toBe(true);
});

test("what is dropped is replaced by a learned vector of its position", () => {
  const out = keepPrefix(new Params(), input("u", [1, 3, 2]), input("keep", [1, 3, 1]));
  const feeds = { u: [1, 2, 3, 4, 5, 6], keep: [1, 0, 0] };
  const [got] = evaluate([out], { feeds, params: () => Float32Array.of(10, 20, 30, 40, 50, 60) });
  expect([...got!.data]).toEqual([1, 2, 30, 40, 50, 60]);
});
