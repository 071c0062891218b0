import { describe, expect, it, test } from "vitest";
import { noGradient, rules } from "../../src/autodiff/rules.ts";
import { input, type OpName, sortNodes } from "../../src/graph/index.ts";
import { cases } from "./cases.ts";
import { checkGradients } from "./check.ts";

/** Operations through which nothing flows back on purpose, with the reason. */
const flowless: { readonly [K in OpName]?: string } = {
  input: "a leaf",
  param: "a leaf",
  constant: "a leaf",
  stopGradient: "its purpose",
  equal: "piecewise constant",
  less: "piecewise constant",
  argmax: "piecewise constant",
  argmin: "piecewise constant",
  cast: "to and from whole numbers and bools",
  geluGrad: "already a derivative; second derivatives are not needed",
};

const ops = Object.keys(rules) as OpName[];

test("every operation without a rule is listed with a reason, and no other", () => {
  expect(ops.filter((op) => rules[op] === noGradient).sort()).toEqual(Object.keys(flowless).sort());
});

test("every operation with a rule has a case, and no other", () => {
  expect(Object.keys(cases).sort()).toEqual(ops.filter((op) => rules[op] !== noGradient).sort());
});

describe.each(Object.entries(cases))("%s", (op, list) => {
  it.each(list)("$name", ({ shapes, build, place }) => {
    const y = build(shapes.map((shape, i) => input(`x${i}`, shape)));
    expect(sortNodes([y]).map((node) => node.op)).toContain(op);
    checkGradients(shapes, build, place);
  });
});
