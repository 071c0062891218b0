import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { concat, constant, input, Params, type Tensor, zeros } from "../graph/index.ts";
import { apply } from "../graph/tensor.ts";
import { evaluate } from "./reference.ts";
import { erf } from "./reference-kernels.ts";

const ids = (...values: number[]): Tensor => constant(Int32Array.from(values));
const floats = (values: readonly number[], shape: readonly number[]): Tensor =>
  constant(Float32Array.from(values), shape);
const run = (t: Tensor): number[] => [...evaluate([t])[0]!.data];

describe("erf", () => {
  it.each([
    [0, 0],
    [1e-8, 1.1283791670955126e-8],
    [0.1, 0.1124629160182849],
    [0.5, 0.5204998778130465],
    [1, 0.8427007929497149],
    [2, 0.9953222650189527],
    [3, 0.9999779095030014],
    [5, 0.9999999999984626],
    [6.5, 1],
  ])("of %f", (x, y) => {
    expect(Math.abs(erf(x) - y)).toBeLessThanOrEqual(1e-15 * Math.max(y, 1e-8));
    expect(erf(-x)).toBe(-erf(x));
  });

  it("has the derivative 2/√π exp(-x²)", () => {
    fc.assert(
      fc.property(fc.double({ min: -6, max: 6, noNaN: true }), (x) => {
        const slope = (erf(x + 1e-5) - erf(x - 1e-5)) / 2e-5;
        return Math.abs(slope - (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x)) < 1e-9;
      }),
    );
  });
});

describe("kernels, by hand", () => {
  const x = floats([1, 2, 3, 4, 5, 6], [2, 3]);

  it("linear is x wᵀ + b", () => {
    expect(run(x.linear(floats([1, 0, 0, 1, 1, 1], [2, 3]), floats([10, 20], [2])))).toEqual([11, 26, 14, 35]);
  });
  it("matmul transposes, scales and broadcasts", () => {
    expect(run(x.matmul(x, { transB: true, alpha: 0.5 }))).toEqual([7, 16, 16, 38.5]);
    expect(run(x.matmul(x, { transA: true }))).toEqual([17, 22, 27, 22, 29, 36, 27, 36, 45]);
    expect(evaluate([x.expand([4, 2, 3]).matmul(floats([1, 1, 1], [3, 1]))])[0]).toEqual({
      shape: [4, 2, 1],
      data: Float64Array.of(6, 15, 6, 15, 6, 15, 6, 15),
    });
  });
  it("reduces any axes", () => {
    const cube = floats([1, 2, 3, 4, 5, 6, 7, 8], [2, 2, 2]);
    expect(run(cube.sum([0, 2]))).toEqual([14, 22]);
    expect(run(cube.mean(1))).toEqual([2, 3, 6, 7]);
    expect(run(cube.neg().max())).toEqual([-1]);
  });
  it("layerNorm gives the normalized rows, their means and inverse deviations", () => {
    const scale = floats([1, 2, 1], [3]);
    const [y, mean, inverse] = evaluate(apply("layerNorm", [floats([0, 3, 6], [1, 3]), scale, scale], { eps: 3 }));
    expect([...y!.data]).toEqual([0, 2, 2]); // variance 6, so a deviation of 3
    expect(mean).toEqual({ shape: [1, 1], data: Float64Array.of(3) });
    expect(inverse).toEqual({ shape: [1, 1], data: Float64Array.of(1 / 3) });
  });
  it("softmax keeps large logits finite", () => {
    expect(run(floats([1000, 1000], [2]).softmax())).toEqual([0.5, 0.5]);
    expect(run(floats([-1000, 0], [2]).logSoftmax())).toEqual([-1000, 0]);
  });
  it("argmax and argmin take the first of equals", () => {
    expect(run(floats([1, 3, 3, 2, 0, 0], [2, 3]).argmax())).toEqual([1, 0]);
    expect(run(floats([1, 3, 1, 2, 0, 0], [2, 3]).argmin())).toEqual([0, 1]);
  });
  it("i32 arithmetic truncates and wraps", () => {
    expect(run(ids(7, -7).div(2))).toEqual([3, -3]);
    expect(run(ids(2 ** 31 - 1).add(1))).toEqual([-(2 ** 31)]);
    expect(run(floats([1.9, -1.9, 0], [3]).cast("i32"))).toEqual([1, -1, 0]);
    expect(run(floats([0.2, -1, 0], [3]).cast("bool").cast("f32"))).toEqual([1, 1, 0]);
  });
  it("moves elements", () => {
    expect(run(x.transpose([1, 0]))).toEqual([1, 4, 2, 5, 3, 6]);
    expect(run(x.slice(1, 1, 3))).toEqual([2, 3, 5, 6]);
    expect(run(concat([x, x.slice(1, 0, 1)], 1))).toEqual([1, 2, 3, 1, 4, 5, 6, 4]);
    expect(run(x.pad(1, 1, 0))).toEqual([0, 1, 2, 3, 0, 4, 5, 6]);
    expect(run(floats([1, 2], [1, 1, 1, 2]).upsample(2))).toEqual([1, 1, 2, 2, 1, 1, 2, 2]);
    expect(run(x.gather(ids(1, 0, 1)))).toEqual([4, 5, 6, 1, 2, 3, 4, 5, 6]);
    expect(run(x.pick(ids(2, 0)))).toEqual([3, 4]);
    expect(run(apply("scatterAdd", [ids(1, 1), x], { count: 2 })[0]!)).toEqual([0, 0, 0, 5, 7, 9]);
  });
  it("conv2d pads and strides", () => {
    const image = floats([1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 1, 3, 3]);
    const ones = floats([1, 1, 1, 1, 1, 1, 1, 1, 1], [1, 1, 3, 3]);
    expect(run(image.conv2d(ones, { padding: 1, stride: 2 }))).toEqual([12, 16, 24, 28]);
    expect(run(image.conv2d(floats([1, 0, 0, -1], [1, 1, 2, 2])))).toEqual([-4, -4, -4, -4]);
  });
});

describe("evaluate", () => {
  it("finds symbols from the lengths of feeds", () => {
    const x = input("x", ["B", "T", 2]);
    const mask = input("mask", ["T"]);
    const feeds = { x: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], mask: [0, 0, 1] };
    const flat = concat([x.reshape([-1, 2]), constant(Float32Array.of(0, 0), [1, 2])], 0); // [(B*T+1),2]
    const [a, b] = evaluate([flat, mask.sum()], { feeds });
    expect(a!.shape).toEqual([7, 2]);
    expect([...b!.data]).toEqual([1]);
  });
  it("takes symbols that no feed tells", () => {
    const x = input("x", ["B", "T"]);
    const feeds = { x: [1, 2, 3, 4, 5, 6] };
    expect(evaluate([x], { feeds, symbols: { B: 2 } })[0]!.shape).toEqual([2, 3]);
    expect(() => evaluate([x], { feeds })).toThrow(
      "reference: expected a value for the dim B, got none. Set symbols.B.",
    );
  });
  it("says what is missing or misshaped", () => {
    const x = input("x", [2]);
    const w = new Params("lm").get("w", [2], zeros);
    expect(() => evaluate([x])).toThrow("reference input x: expected a value, got none. Set feeds.x.");
    expect(() => evaluate([w])).toThrow("reference param lm.w: expected a value, got none. Set params.");
    expect(() => evaluate([x], { feeds: { x: [1] } })).toThrow("reference input x: expected 2 elements [2], got 1.");
    expect(() => evaluate([w.gather(ids(0, 2))], { params: () => [1, 2] })).toThrow(
      "gather: expected ids in 0..1, got 2.",
    );
  });
});
