/** Each rewrite gives the numbers of the float64 reference with fewer operations, and does not fire where it must not. */
import { describe, expect, it, test } from "vitest";
import { Rng } from "../../base/rng.ts";
import { evaluate } from "../../runtime/reference.ts";
import type { OpName } from "../ops.ts";
import { apply, concat, constant, full, input, sortNodes, type Tensor } from "../tensor.ts";
import { keepForDerivative } from "./keep.ts";
import { simplify } from "./simplify.ts";

const [a, b] = [input("a", [2, 3, 4]), input("b", [2, 3, 4])];
const [m, n, w] = [input("m", [4, 3]), input("n", [3, 5]), input("w", [5, 3])];
const [mn, rows] = [m.matmul(n), input("rows", [2, 2, 3])];
const sum = input("sum", [4, 5]);
const [p, v, g] = [input("p", [2, 6, 6]), input("v", [2, 6, 3]), input("g", [2, 6, 3])];
const image = input("image", [2, 3, 4, 4]).conv2d(input("kernel", [4, 3, 3, 3]), { padding: 1 });
const channels = input("channels", [4]);
const negated = b.neg();
const column = input("column", [2, 3, 1]);

function counts(outputs: readonly Tensor[]): Record<string, number> {
  const found: Record<string, number> = {};
  for (const { op } of sortNodes(outputs)) found[op] = (found[op] ?? 0) + 1;
  return found;
}

function numbers(outputs: readonly Tensor[]): (readonly number[])[] {
  const feeds: Record<string, Float64Array> = {};
  for (const node of sortNodes(outputs)) {
    if (node.op !== "input") continue;
    const { name, shape } = node.attrs as { name: string; shape: readonly number[] };
    const rng = new Rng(name.length + name.charCodeAt(0));
    feeds[name] = Float64Array.from({ length: shape.reduce((x, y) => x * y, 1) }, () => rng.normal());
  }
  return evaluate(outputs, { feeds }).map(({ data }) => [...data]);
}

type Counts = { readonly [K in OpName]?: number };

/** A graph, and how many of some operations are left. */
const cases: readonly (readonly [name: string, outputs: readonly Tensor[], left: Counts])[] = [
  ["equal nodes are one", [a.exp().add(a.exp()).mul(a.exp())], { exp: 1 }],
  ["equal literals are one", [a.maximum(2).add(b.maximum(2))], { constant: 1 }],
  ["different literals are not", [a.maximum(2).add(b.maximum(3))], { constant: 2 }],
  ["reshapes that follow each other", [a.reshape([6, 4]).reshape([24]).reshape([4, 6])], { reshape: 1 }],
  ["a reshape there and back", [a.reshape([6, 4]).reshape([2, 3, 4]).exp()], { reshape: 0 }],
  ["transposes that follow each other", [a.transpose([1, 0, 2]).transpose([2, 1, 0])], { transpose: 1 }],
  ["a transpose there and back", [a.transpose([1, 2, 0]).transpose([2, 0, 1]).exp()], { transpose: 0 }],
  ["an expand to the same shape", [a.expand([2, 3, 4]).exp()], { expand: 0 }],
  ["an expand that broadcasting does", [column.expand([2, 3, 4]).mul(a)], { expand: 0 }],
  ["an expand that gives the result its shape", [column.expand([2, 3, 4]).mul(column)], { expand: 1 }],
  ["an expand before where", [a.less(b).where(column.expand([2, 3, 4]), a)], { expand: 0 }],
  ["a pad of nothing", [a.pad(1, 0, 0).exp()], { pad: 0 }],
  ["numbers that multiply one after another", [a.mul(3).mul(0.5).div(4).neg()], { mul: 1, div: 0, neg: 0 }],
  ["two negations", [a.neg().neg().exp()], { neg: 0 }],
  ["a factor of one", [a.mul(1).add(b.div(1))], { mul: 0, div: 0 }],
  ["a number on the left, spread out", [full([2, 3, 4], 2).mul(a.mul(3))], { mul: 1, expand: 0 }],
  ["a number that gives the result its shape", [constant(2).mul(constant(3).expand([2, 2]))], { mul: 1 }],
  ["an addend of zero", [constant(0).add(a.add(0).exp())], { add: 0 }],
  ["plus a negation", [a.add(b.neg())], { add: 0, sub: 1, neg: 0 }],
  ["minus a negation", [a.sub(b.neg())], { add: 1, sub: 0, neg: 0 }],
  ["a negated difference", [a.sub(b).neg()], { sub: 1, neg: 0 }],
  ["a negation that is read twice", [a.add(negated), negated], { neg: 1, add: 1 }],
  ["a product times a number", [mn.mul(3)], { mul: 0, matmul: 1 }],
  ["a reshaped product, negated", [m.matmul(n, { alpha: 2 }).reshape([2, 10]).neg()], { neg: 0 }],
  ["a product that is read twice keeps its scale", [mn.mul(3), mn], { mul: 1 }],
  ["a sum with a product", [sum.exp().add(mn)], { add: 0, matmul: 1 }],
  ["a product with a sum", [mn.add(sum)], { add: 0 }],
  ["a difference to a product", [sum.sub(mn)], { sub: 0 }],
  ["a product minus something", [mn.sub(sum)], { sub: 1 }],
  ["a sum of three products", [mn.add(m.exp().matmul(n)).add(m.sin().matmul(n))], { add: 0, matmul: 3 }],
  ["a product that is read twice is added", [mn.add(sum), mn.exp()], { add: 1 }],
  ["a sum with a product that broadcasts", [mn.add(input("row", [5]))], { add: 1 }],
  ["a sum with a reshaped product", [input("c", [2, 2, 5]).add(mn.reshape([2, 2, 5]))], { add: 0 }],
  ["a sum with a linear layer", [rows.linear(w).add(input("c", [2, 2, 5]))], { add: 0, linear: 1 }],
  ["a linear layer with a bias", [rows.linear(w, input("d", [5])).add(input("c", [2, 2, 5]))], { add: 1 }],
  ["a bias of a convolution", [image.add(channels.reshape([4, 1, 1]))], { add: 0, conv2d: 1 }],
  ["a bias before a convolution", [channels.reshape([4, 1, 1]).add(image)], { add: 0 }],
  ["a convolution that is read twice", [image.add(channels.reshape([4, 1, 1])), image], { add: 1 }],
  ["a sum that is not a bias", [image.add(channels.reshape([4, 1]))], { add: 1 }],
  ["a number on the way into a product", [m.mul(3).matmul(n.neg())], { mul: 0, neg: 0, matmul: 1 }],
  ["a number on the way into a linear layer", [rows.mul(3).reshape([4, 3]).linear(w)], { mul: 0, linear: 1 }],
  ["a number before a sum", [a.mul(3).sum([0, 1])], { mul: 1, sum: 1 }],
  ["a mask that a factor is", [constant(0).less(a).where(b.mul(a.relu()).mul(2), constant(0))], { where: 0 }],
  ["a mask that no factor is", [constant(0).less(a).where(b.mul(b.relu()), constant(0))], { where: 1 }],
  ["a batched product", [g.matmul(v, { transB: true }).add(p)], { add: 1 }],
  ["a transposed operand", [m.matmul(n.transpose([1, 0]), { transB: true })], { transpose: 0 }],
  ["both operands transposed", [g.transpose([0, 2, 1]).matmul(p.transpose([0, 2, 1]))], { transpose: 0 }],
  [
    "heads swapped are not a transposed operand",
    [
      p
        .transpose([1, 0, 2])
        .matmul(input("q", [6, 1]))
        .exp(),
    ],
    { transpose: 1 },
  ],
  ["parts of one axis", [a.pad(1, 0, 3).add(b.pad(1, 3, 0))], { pad: 0, add: 0, concat: 1 }],
  ["parts in the other order", [a.pad(1, 3, 1).add(b.pad(1, 0, 4))], { pad: 1, add: 0, concat: 1 }],
  [
    "three parts",
    [
      a
        .pad(1, 0, 6)
        .add(b.pad(1, 3, 3))
        .add(a.exp().pad(1, 6, 0)),
    ],
    { pad: 0, add: 0, concat: 1 },
  ],
  ["parts with a gap", [a.pad(1, 0, 4).add(b.pad(1, 4, 0))], { pad: 2, add: 1 }],
  [
    "parts of different axes",
    [
      input("e", [3, 2])
        .pad(0, 0, 3)
        .add(input("f", [6, 1]).pad(1, 0, 1)),
    ],
    { concat: 0 },
  ],
  ["joined parts that are joined", [concat([concat([a, b], 1), a.exp()], 1)], { concat: 1 }],
  ["joined parts of another axis", [concat([concat([a, b], 1), concat([b, a], 1)], 0)], { concat: 3 }],
  [
    "row sums of attention's derivative",
    [p.matmul(v), g.matmul(v, { transB: true, alpha: 3 }).mul(p).sum(-1, true)],
    { sum: 1, matmul: 1 },
  ],
  ["row sums without the forward product", [g.matmul(v, { transB: true }).mul(p).sum(-1, true)], { matmul: 1 }],
];

describe("simplify", () => {
  it.each(cases)("%s", (_, outputs, left) => {
    const simpler = simplify(outputs);
    expect(simpler.map(({ shape }) => shape)).toEqual(outputs.map(({ shape }) => shape));
    for (const [i, wanted] of numbers(outputs).entries()) {
      const got = numbers(simpler)[i]!;
      for (const [j, x] of wanted.entries()) expect(got[j]).toBeCloseTo(x, 10);
    }
    const all = counts(simpler);
    for (const [op, count] of Object.entries(left)) expect(all[op] ?? 0, op).toBe(count);
  });

  test("a graph that is as simple as it can be stays the same nodes", () => {
    const y = a.exp().add(b);
    expect(simplify([y])).toEqual([y]);
    expect(simplify([y])[0]!.node).toBe(y.node);
  });

  test("attributes that differ keep nodes apart", () => {
    const q = apply("conv2d", [input("x", [1, 1, 4, 4]), input("k", [1, 1, 1, 1])], { stride: 1, padding: 0 })[0]!;
    const r = apply("conv2d", q.node.inputs, { stride: 2, padding: 0 })[0]!;
    expect(counts(simplify([q, r])).conv2d).toBe(2);
  });
});

describe("keepForDerivative", () => {
  const [fc1, fc2, bias] = [input("fc1", [6, 3]), input("fc2", [5, 6]), input("bias", [6])];
  const wide = (): Tensor => rows.linear(fc1, bias).gelu();

  it("gives GELU between two linear layers to the products around it", () => {
    const y = wide().linear(fc2, input("last", [5]));
    const [kept] = keepForDerivative([y]) as [Tensor];
    expect(counts([kept])).toMatchObject({ erfGate: 1, linear: 2 });
    expect(counts([kept]).gelu).toBeUndefined();
    for (const [i, x] of numbers([y])[0]!.entries()) expect(numbers([kept])[0]![i]).toBeCloseTo(x, 6); // 1/√2 as f32
  });

  it("leaves GELU that something else reads", () => {
    const x = wide();
    expect(counts(keepForDerivative([x.linear(fc2), x.sum()])).gelu).toBe(1);
    const first = rows.linear(fc1, bias);
    expect(counts(keepForDerivative([first.gelu().linear(fc2), first])).gelu).toBe(1);
  });
});
