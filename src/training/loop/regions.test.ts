import { expect, test } from "vitest";
import { Rng } from "../../base/rng.ts";
import { cellQueries, pyramid, regionQueries } from "./regions.ts";

const D = 64;
const random = (rows: number, seed: number): Float32Array => {
  const out = new Float32Array(rows * D);
  new Rng(seed).fillNormal(out);
  return out;
};
const row = (x: Float32Array, i: number): Float32Array => x.subarray(i * D, (i + 1) * D);
const dot = (a: Float32Array, b: Float32Array): number => a.reduce((sum, x, d) => sum + x * b[d]!, 0) / D;

test("32 regions, coarse to fine: the first five cover the picture, and so do the next sixteen, once", () => {
  const regions = pyramid(8);
  expect(regions.map((r) => r.length)).toEqual([...Array(5).fill(16), ...Array(27).fill(4)]);
  const all = Array.from({ length: 64 }, (_, i) => i);
  expect(
    regions
      .slice(1, 5)
      .flat()
      .sort((a, b) => a - b),
  ).toEqual(all);
  expect(
    regions
      .slice(5, 21)
      .flat()
      .sort((a, b) => a - b),
  ).toEqual(all);
  expect(regions[5]).toEqual([0, 1, 8, 9]);
  expect(regions[31]).toEqual([51, 52, 59, 60]);
  expect(pyramid(16)[5]).toHaveLength(16);
});

test("a query resembles the positions of its region most, and has deviation 1", () => {
  const [regions, positions] = [pyramid(8), random(64, 1)];
  const queries = regionQueries(regions, positions, D);
  for (const [k, region] of regions.entries()) {
    const query = row(queries, k);
    expect(dot(query, query)).toBeCloseTo(1, 5);
    const likeness = Array.from({ length: 64 }, (_, cell) => dot(query, row(positions, cell)));
    const mean = (cells: readonly number[]): number => cells.reduce((s, c) => s + likeness[c]!, 0) / cells.length;
    const others = likeness.flatMap((_, cell) => (region.includes(cell) ? [] : [cell]));
    expect(mean(region) - mean(others), `region ${k}`).toBeGreaterThan(0.15);
  }
});

test("a cell's query resembles the vectors whose region holds it, small regions most", () => {
  const [regions, positions] = [pyramid(8), random(32, 2)];
  const queries = cellQueries(regions, positions, D, 64);
  const likeness = (cell: number, k: number): number => dot(row(queries, cell), row(positions, k));
  expect(likeness(0, 5)).toBeGreaterThan(likeness(0, 1)); // its sixteenth before its quarter
  expect(likeness(0, 1)).toBeGreaterThan(0.2);
  expect(Math.abs(likeness(0, 4))).toBeLessThan(0.35); // the quarter at the other end
});
