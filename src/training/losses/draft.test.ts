import { expect, test } from "vitest";
import { input, Params, paramAttrs } from "../../graph/index.ts";
import { initialValues } from "../../nn/index.ts";
import { evaluate } from "../../runtime/reference.ts";
import { draftLoss, latentHead } from "./draft.ts";

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
