/** Values computed with scipy (test/fixtures/fid), and the two of the shared fixtures. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { featureStats, fid, frechetDistance } from "./fid.ts";

const read = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../../test/fixtures/${name}`, import.meta.url), "utf8"));

interface Case {
  readonly a: number[][];
  readonly b: number[][];
  readonly fid: number;
}
const cases = read("fid/expected.json") as Record<string, Case>;
const features = (rows: number[][]): Float32Array[] => rows.map((row) => Float32Array.from(row));

test.each(Object.entries(cases))("scipy's value: %s", (name, { a, b, fid: expected }) => {
  const tolerance = 1e-6 * expected + (name === "small numbers" ? 0 : 1e-7); // roots of a singular matrix are known to the root of the rounding error
  expect(Math.abs(fid(features(a), features(b)) - expected)).toBeLessThan(tolerance);
});

test("of given means and covariances", () => {
  const given = (
    read("metric-fixtures.json") as {
      fid: { m1: number[]; c1: number[][]; m2: number[]; c2: number[][]; fid: number }[];
    }
  ).fid;
  for (const { m1, c1, m2, c2, fid: expected } of given)
    expect(frechetDistance({ mean: m1, covariance: c1 }, { mean: m2, covariance: c2 })).toBeCloseTo(expected, 10);
});

test("a worked example: two pairs of points, shifted", () => {
  // variances 2 and 2, means 3 apart: 9
  expect(fid(features([[0], [2]]), features([[3], [5]]))).toBeCloseTo(9, 12);
});

test("what cannot be compared is named", () => {
  expect(() => featureStats([Float32Array.of(1)])).toThrow("at least two pictures, got 1");
  expect(() => featureStats(features([[1, 2], [1]]))).toThrow("width 2, got 1");
  expect(() =>
    fid(
      features([[1], [2]]),
      features([
        [1, 2],
        [3, 4],
      ]),
    ),
  ).toThrow("one width, got 1 and 2");
});
