/** The reverse walk itself: paths that meet, targets of every kind, broadcasting, seeds. */
import { describe, expect, it } from "vitest";
import { gradients } from "../../src/autodiff/index.ts";
import { constant, input, Params, sortNodes, stopGradient, type Tensor, zeros } from "../../src/graph/index.ts";
import { apply } from "../../src/graph/tensor.ts";
import { evaluate } from "../../src/runtime/reference.ts";
import { checkGradients } from "./check.ts";

function values(tensors: readonly (Tensor | undefined)[], feeds: Record<string, readonly number[]>): number[][] {
  return evaluate(tensors as Tensor[], { feeds }).map(({ data }) => [...data]);
}

describe("gradients", () => {
  it("adds up the paths of a diamond", () => {
    const x = input("x", [2]);
    const h = x.mul(3);
    const loss = h.mul(h).add(h.exp()).sum(); // d/dx = 3 (2 h + exp h)
    const [dx] = values(gradients(loss, [x]), { x: [0, 1] });
    expect(dx![0]).toBeCloseTo(3, 12);
    expect(dx![1]).toBeCloseTo(3 * (6 + Math.exp(3)), 9);
  });

  it("visits a node once, however many paths lead to it", () => {
    let x = input("x", []);
    const start = x;
    for (let i = 0; i < 40; i++) x = x.add(x); // 2^40 paths
    const [dx] = gradients(x, [start]);
    expect(sortNodes([dx!]).length).toBeLessThan(100);
    expect(values([dx], {})).toEqual([[2 ** 40]]);
  });

  it("gives undefined for a target on which the loss does not depend", () => {
    const [x, other] = [input("x", [2]), input("other", [2])];
    const results = gradients(x.sum(), [other, x]);
    expect(results[0]).toBeUndefined();
    expect(values([results[1]], { x: [5, 6] })).toEqual([[1, 1]]);
  });

  it("lets nothing through stopGradient, casts and comparisons", () => {
    const x = input("x", [2]);
    const flags = x.less(1).cast("f32");
    const loss = x.mul(stopGradient(x)).add(flags).sum();
    expect(values(gradients(loss, [x]), { x: [2, 3] })).toEqual([[2, 3]]);
    expect(gradients(stopGradient(x).add(flags).sum(), [x])).toEqual([undefined]);
  });

  it("takes inner tensors as targets, next to those before and after them", () => {
    const x = input("x", [2]);
    const h = x.square();
    const y = h.mul(5);
    const loss = y.sum();
    const feeds = { x: [1, 2] };
    expect(values(gradients(loss, [x, h, y, loss]), feeds)).toEqual([[10, 20], [5, 5], [1, 1], [1]]);
    expect(values(gradients(loss, [h]), feeds)).toEqual([[5, 5]]);
  });

  it("does not ask a node before the target for its derivative", () => {
    const h = input("x", ["B", 2]).mean(0); // a mean over a symbol has no derivative
    expect(values(gradients(h.sum(), [h]), { x: [1, 2, 3, 4] })).toEqual([[1, 1]]);
  });

  it("adds up axes that were broadcast", () => {
    const shapes = [[3], [2, 1], [], [4, 1, 1, 3]];
    checkGradients(shapes, ([a, b, c, d]) => a!.mul(b!).add(c!).mul(d!).tanh());
  });

  it("adds up broadcast axes with symbols", () => {
    const x = input("x", ["B", 3]);
    const b = input("b", [3]);
    const [db] = gradients(x.mul(b).sum(), [b]);
    expect(db!.shape).toEqual([3]);
    expect(values([db], { x: [1, 2, 3, 10, 20, 30], b: [0, 0, 0] })).toEqual([[11, 22, 33]]);
  });

  it("continues a backward pass from seeds", () => {
    const x = input("x", [2, 3]);
    const h = x.tanh();
    const whole = gradients(h.exp().sum().mul(h.sum()), [x]);
    const top = input("top", [2, 3]);
    const [seed] = gradients(top.exp().sum().mul(top.sum()), [top]);
    const parts = gradients(constant(0), [x], new Map([[h, input("seed", [2, 3])]]));

    const data = [0.1, -0.2, 0.3, 0.4, -0.5, 0.6];
    const [seedValues] = values([seed], { top: data.map(Math.tanh) });
    const [expected] = values(whole, { x: data });
    const [got] = values(parts, { x: data, seed: seedValues! });
    for (const [i, v] of expected!.entries()) expect(got![i]).toBeCloseTo(v, 12);
  });

  it("adds seeds to what flows from the loss", () => {
    const x = input("x", [2]);
    const h = x.mul(2);
    const seeds = new Map([
      [h, constant(Float32Array.of(10, 20))],
      [x, constant(Float32Array.of(100, 200))],
    ]);
    expect(values(gradients(h.sum(), [x], seeds), {})).toEqual([[122, 242]]);
  });

  it("differentiates a transformer block and its loss", () => {
    const [T, D, F] = [3, 4, 6];
    const shapes = [[2, T, D], [D], [D], [3 * D, D], [D, D], [F, D], [F], [D, F], [5, D]];
    checkGradients(shapes, ([x, scale, bias, qkv, proj, fc1, fc1Bias, fc2, head]) => {
      const h = x!
        .layerNorm(scale!, bias!, 1e-5)
        .linear(qkv!)
        .reshape([2, T, 3, 2, D / 2]);
      const heads = h.transpose([2, 0, 3, 1, 4]); // [3,B,H,T,Dh]
      const [q, k, v] = [0, 1, 2].map((i) => heads.slice(0, i, i + 1).reshape([2, 2, T, D / 2]));
      const att = q!.matmul(k!, { transB: true, alpha: 0.7 }).softmax().matmul(v!);
      const y = x!.add(att.transpose([0, 2, 1, 3]).reshape([2, T, D]).linear(proj!));
      const z = y.add(y.layerNorm(scale!, bias!, 1e-5).linear(fc1!, fc1Bias!).gelu().linear(fc2!));
      return z
        .linear(head!)
        .logSoftmax()
        .pick(constant(Int32Array.of(0, 4, 2, 1, 1, 3), [2, T]));
    });
  });

  it("shares the gradient of a maximum among equal largest entries", () => {
    const x = input("x", [2, 3]);
    expect(values(gradients(x.max(-1).sum(), [x]), { x: [4, 4, 1, 2, 3, 0] })).toEqual([[0.5, 0.5, 0, 0, 1, 0]]);
  });

  it("gives the first of two equal operands the gradient of maximum and minimum", () => {
    const [a, b] = [input("a", [1]), input("b", [1])];
    for (const y of [a.maximum(b), a.minimum(b)])
      expect(values(gradients(y.sum(), [a, b]), { a: [2], b: [2] })).toEqual([[1], [0]]);
  });

  it("finds tied parameters by their tensor", () => {
    const p = new Params();
    const w = (): Tensor => p.get("w", [2], zeros);
    const loss = w().mul(w().exp()).sum();
    const [dw] = evaluate(gradients(loss, [w()]) as Tensor[], { params: () => [0, 1] });
    expect(dw!.data[0]).toBeCloseTo(1, 12);
    expect(dw!.data[1]).toBeCloseTo(2 * Math.E, 12);
  });

  it("refuses a loss that is not a scalar", () => {
    expect(() => gradients(input("x", ["B", 2]), [])).toThrow("gradients: expected a scalar loss, got f32 [B,2].");
  });

  it("refuses a loss that uses the statistics of layerNorm", () => {
    const x = input("x", [2, 3]);
    const ones = constant(1).expand([3]);
    const [, mean] = apply("layerNorm", [x, ones, ones], { eps: 1e-5 });
    expect(() => gradients(mean!.sum(), [x])).toThrow(
      "gradients: expected a loss that uses output 0 of layerNorm, got 1.",
    );
  });

  it("refuses the derivative of a slice that ends inside of a symbolic axis", () => {
    const x = input("x", ["B", 2]);
    expect(() => gradients(x.slice(0, 0, 1).sum(), [x])).toThrow("expected a known dim at axis 0, got f32 [B,2].");
  });
});
