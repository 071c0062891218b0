/**
 * Where queries begin to look: a pyramid of regions of the picture, coarse to fine, so that the first codes are about
 * large parts and a prefix of codes covers the whole picture. Only a start: with sharp cross-attention (`sharp-start.ts`)
 * and positions on the context, a query that begins as the sum of its region's positions attends there. Without it 32
 * causal queries see the mean of the picture for some 15,000 samples. Ours.
 */
import { Rng } from "../../base/rng.ts";

/** Cells of a square grid, row by row. */
export type Region = readonly number[];

/**
 * 32 regions of a grid of `side` x `side` cells: the middle, 4 quarters, 16 sixteenths, 9 between the sixteenths, and the
 * middle of the upper and of the lower edge; the first `count` of them, which are the largest, or for more all again.
 * @param side a multiple of 8
 */
export function pyramid(side: number, count = 32): readonly Region[] {
  const unit = side / 8;
  const square = (row: number, column: number, size: number): Region =>
    Array.from({ length: (size * unit) ** 2 }, (_, i) => {
      const [y, x] = [Math.floor(i / (size * unit)), i % (size * unit)];
      return (row * unit + y) * side + column * unit + x;
    });
  const grid = (starts: readonly number[], size: number): Region[] =>
    starts.flatMap((row) => starts.map((column) => square(row, column, size)));
  const all = [
    square(2, 2, 4),
    ...grid([0, 4], 4),
    ...grid([0, 2, 4, 6], 2),
    ...grid([1, 3, 5], 2),
    square(0, 3, 2),
    square(6, 3, 2),
  ];
  return Array.from({ length: count }, (_, k) => all[k % all.length] as Region);
}

/**
 * First values of queries that attend to their region. positions: f32 [cells,D], the positions of the context;
 * `own` is the deviation of what each query has of its own, relative to the region's. -> f32 [regions,D], deviation 1.
 */
export function regionQueries(
  regions: readonly Region[],
  positions: Float32Array,
  width: number,
  { own = 0.3, seed = 0 }: { readonly own?: number; readonly seed?: number } = {},
): Float32Array {
  const rng = new Rng(seed);
  return rows(regions, width, (region) => {
    const sum = unitDeviation(sumOf(region.map((cell) => [1, positions.subarray(cell * width, (cell + 1) * width)])));
    return sum.map((x) => x + own * rng.normal());
  });
}

/**
 * First values of a decoder's queries, one a cell, that attend to the vectors whose region holds the cell, to small
 * regions more. positions: f32 [regions,D], the positions of those vectors. -> f32 [cells,D], deviation 1.
 */
export function cellQueries(
  regions: readonly Region[],
  positions: Float32Array,
  width: number,
  cells: number,
): Float32Array {
  const all = Array.from({ length: cells }, (_, cell) => cell);
  return rows(all, width, (cell) =>
    sumOf(
      regions.flatMap((region, k) =>
        region.includes(cell) ? [[region.length ** -0.5, positions.subarray(k * width, (k + 1) * width)] as const] : [],
      ),
    ),
  );
}

function rows<T>(items: readonly T[], width: number, make: (item: T) => Float32Array): Float32Array {
  const out = new Float32Array(items.length * width);
  for (const [i, item] of items.entries()) out.set(unitDeviation(make(item)), i * width);
  return out;
}

function sumOf(terms: readonly (readonly [weight: number, vector: Float32Array])[]): Float32Array {
  const out = new Float32Array(terms[0]?.[1].length ?? 0);
  for (const [weight, vector] of terms) for (const [d, x] of vector.entries()) out[d] = out[d]! + weight * x;
  return out;
}

function unitDeviation(x: Float32Array): Float32Array {
  const deviation = Math.sqrt(x.reduce((sum, value) => sum + value * value, 0) / x.length);
  return x.map((value) => value / Math.max(deviation, 1e-12));
}
