import { expect, test } from "vitest";
import { input, Params, paramAttrs } from "../../graph/index.ts";
import { initialValues } from "../../nn/index.ts";
import { evaluate } from "../../runtime/reference.ts";
import { draftLoss, latentHead, tokensLoss } from "./draft.ts";

test("the loss compares cells with latents of the same position", () => {
  const loss = draftLoss(input("cells", [1, 4, 1]), input("z", [1, 1, 2, 2]), 1);
  expect(evaluate([loss], { feeds: { cells: [1, 2, 3, 4], z: [1, 2, 3, 4] } })[0]!.data[0]).toBe(0);
  expect(evaluate([loss], { feeds: { cells: [2, 1, 3, 4], z: [1, 2, 3, 4] } })[0]!.data[0]).toBe(0.5);
});

test("the head reads each patch token by itself, and not the class token", () => {
  const p = new Params();
  const head = latentHead(p, input("tokens", [1, 4, 6]), 5);
  expect(head.shape).toEqual([1, 3, 5]);
  const params = (path: string): Float32Array => {
    const { shape, init } = paramAttrs(p.declared().get(path)!);
    return initialValues(path, shape, init, 1);
  };
  const tokens = Array.from({ length: 24 }, (_, i) => Math.sin(i * i));
  const run = (t: number[]): number[] => [...evaluate([head], { feeds: { tokens: t }, params })[0]!.data];
  const before = run(tokens);
  expect(run(tokens.with(0, 9))).toEqual(before);
  const after = run(tokens.with(6, 9)); // the first patch
  expect(after.slice(0, 5)).not.toEqual(before.slice(0, 5));
  expect(after.slice(5)).toEqual(before.slice(5));
});

test("tokens are compared by what differs among them: what says nothing has error 1", () => {
  const tokens = [9, 9, 1, 10, 3, 30, 9, 9, 5, 50, 7, 70]; // two pictures of a class token and two patches
  const feeds = { tokens, vectors: [1, 2, 3, 4] };
  const loss = (weight: number[]): number => {
    const t = tokensLoss(new Params(), input("vectors", [2, 2, 1]), input("tokens", [2, 3, 2]));
    const params = (path: string): number[] =>
      path === "weight" ? weight : [-2.5 * (weight[0] ?? 0), -2.5 * (weight[1] ?? 0)];
    return evaluate([t], { feeds, params })[0]!.data[0]!;
  };
  expect(loss([0, 0])).toBeCloseTo(1, 5);
  expect(loss([1 / Math.sqrt(1.25), 1 / Math.sqrt(1.25)])).toBeCloseTo(0, 5);
});
