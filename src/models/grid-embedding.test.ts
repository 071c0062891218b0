import { expect, test } from "vitest";
import { input, Params, paramAttrs } from "../graph/index.ts";
import { initialValues } from "../nn/index.ts";
import { evaluate } from "../runtime/reference.ts";
import { gridEmbedding } from "./grid-embedding.ts";

const p = new Params();
const embedding = gridEmbedding(p, input("tokens", [1, 17, 3]), 2, 5);
const run = (tokens: number[][]): number[] => {
  const params = (path: string): Float32Array => {
    const { shape, init } = paramAttrs(p.declared().get(path)!);
    return initialValues(path, shape, init, 1);
  };
  return [...evaluate([embedding], { feeds: { tokens: tokens.flat() }, params })[0]!.data];
};
const tokens = Array.from({ length: 17 }, (_, i) => [Math.sin(i), Math.cos(3 * i), Math.sin(i * i + 1)]);
const exchanged = (a: number, b: number): number[][] => tokens.with(1 + a, tokens[1 + b]!).with(1 + b, tokens[1 + a]!);

test("exchanging patches within a cell changes nothing, between cells it does; the class token is not read", () => {
  const before = run(tokens);
  for (const [i, x] of run(exchanged(0, 5)).entries()) expect(x).toBeCloseTo(before[i]!, 9); // both at the top left
  const difference = run(exchanged(0, 2)).map((x, i) => Math.abs(x - before[i]!));
  expect(Math.max(...difference)).toBeGreaterThan(0.01);
  expect(run(tokens.with(0, [9, 9, 9]))).toEqual(before);
});

test("patches that do not fill the grid are refused", () => {
  expect(() => gridEmbedding(new Params(), input("x", [1, 17, 3]), 3, 5)).toThrow(
    "gridEmbedding: expected 3 x 3 cells of whole patches, got 16 patches.",
  );
});
