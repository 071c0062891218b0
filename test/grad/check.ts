/** Gradients by the rules against central differences of the reference executor, both in float64. */
import { expect } from "vitest";
import { gradients } from "../../src/autodiff/index.ts";
import { constant, input, simplify, type Tensor } from "../../src/graph/index.ts";
import { evaluate } from "../../src/runtime/reference.ts";

/** Mulberry32: uniform in [0,1). */
export function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Shuffled numbers evenly spread over (-2,2): none are equal and none is 0, where some derivatives jump. */
export function spread(count: number, seed: number): Float64Array {
  const next = random(seed);
  const values = Float64Array.from({ length: count }, (_, i) => ((i + 0.25 + 0.5 * next()) / count) * 4 - 2);
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1));
    [values[i], values[j]] = [values[j]!, values[i]!];
  }
  return values;
}

function size(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}

const STEP = 1e-5;
/** Error allowed as a share of the largest derivative; constants of the graph are float32, which costs up to 6e-8. */
const TOLERANCE = 1e-6;

/** Checks the gradients of a random projection of `build(inputs)` with respect to every input, element by element. */
export function checkGradients(
  shapes: readonly (readonly number[])[],
  build: (inputs: readonly Tensor[]) => Tensor,
  place: (x: number) => number = (x) => x,
): void {
  const inputs = shapes.map((shape, i) => input(`x${i}`, shape));
  const y = build(inputs);
  const count = size(y.shape as readonly number[]);
  const weights = constant(Float32Array.from(spread(count, 7)), y.shape as readonly number[]);
  const loss = y.mul(weights).sum();

  const pool = spread(
    shapes.map(size).reduce((a, b) => a + b),
    11,
  ).map(place);
  const feeds: Record<string, Float64Array> = {};
  let from = 0;
  for (const [i, shape] of shapes.entries()) {
    feeds[`x${i}`] = pool.slice(from, from + size(shape));
    from += size(shape);
  }

  const symbolic = gradients(loss, inputs);
  expect(symbolic.map((g) => g?.shape)).toEqual(shapes);
  const exact = evaluate(symbolic as Tensor[], { feeds });
  const simpler = evaluate(simplify([loss, ...(symbolic as Tensor[])]).slice(1), { feeds });
  for (const [i, { data }] of exact.entries()) {
    for (const [k, v] of data.entries()) expect(simpler[i]!.data[k], "simplified").toBeCloseTo(v, 6);
    const values = feeds[`x${i}`]!;
    const at = (k: number, value: number): number =>
      evaluate([loss], { feeds: { ...feeds, [`x${i}`]: values.with(k, value) } })[0]!.data[0]!;
    const numeric = values.map((v, k) => (at(k, v + STEP) - at(k, v - STEP)) / (2 * STEP));
    const largest = numeric.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
    expect(largest, "a derivative that is not zero everywhere").toBeGreaterThan(1e-3);
    const errors = Array.from(data, (v, k) => Math.abs(v - numeric[k]!));
    const worst = errors.indexOf(Math.max(...errors));
    expect(
      errors[worst]! <= TOLERANCE * largest,
      `input ${i}, element ${worst}: rule ${data[worst]}, differences ${numeric[worst]}`,
    ).toBe(true);
  }
}
