import { describe, expect, it } from "vitest";
import { gradients } from "../autodiff/index.ts";
import { ShapeError } from "../base/errors.ts";
import {
  concat,
  constant,
  full,
  input,
  normal,
  Params,
  printGraph,
  scatterAdd,
  sortNodes,
  type Tensor,
  zeros,
} from "./index.ts";
import { apply } from "./tensor.ts";

const x = input("x", ["B", "T", 6]);
const ids = input("ids", ["B"], "i32");
const flag = input("flag", ["B"], "bool");

/** Every rule says what it expected and what came; the text is the interface. */
describe("errors", () => {
  const cases: [string, () => unknown, string][] = [
    ["dtype", () => ids.exp(), "exp: expected f32, got i32 [B]."],
    ["two dtypes", () => input("y", ["B"]).add(ids), "add: expected two f32 or two i32, got f32 [B] and i32 [B]."],
    ["bools", () => flag.equal(flag), "equal: expected two f32 or two i32, got bool [B] and bool [B]."],
    [
      "shapes",
      () => x.mul(input("y", ["T", 5])),
      "mul: expected shapes that broadcast, got f32 [B,T,6] and f32 [T,5].",
    ],
    ["where", () => ids.where(x, x), "where: expected a bool condition, got i32 [B]."],
    ["where shapes", () => flag.where(x, x), "where: expected shapes that broadcast, got bool [B] and f32 [B,T,6]."],
    ["reduced axis", () => x.sum(3), "sum: expected axes within f32 [B,T,6], got axis 3."],
    ["negative axis", () => x.max(-4), "max: expected axes within f32 [B,T,6], got axis -1."],
    ["argmax of a number", () => constant(1).argmax(), "argmax: expected at least one axis, got f32 []."],
    [
      "matmul of a vector",
      () => x.matmul(input("y", [6])),
      "matmul: expected two matrices, got f32 [B,T,6] and f32 [6].",
    ],
    [
      "matmul",
      () => x.matmul(input("y", [5, 6])),
      "matmul: expected inner dim 6, got 5 (a = f32 [B,T,6], b = f32 [5,6]).",
    ],
    [
      "matmul, transposed",
      () => x.matmul(input("y", [6, 5]), { transB: true }),
      "matmul: expected inner dim 6, got 5 (a = f32 [B,T,6], b = f32 [6,5]).",
    ],
    [
      "matmul, batched",
      () => x.matmul(input("y", ["C", 6, 5])),
      "matmul: expected leading axes that broadcast, got f32 [B,T,6] and f32 [C,6,5].",
    ],
    ["linear", () => x.linear(input("w", [4, 5])), "linear: expected inner dim 5, got 6 (x = f32 [B,T,6])."],
    ["linear rank", () => x.linear(input("w", [6])), "linear: expected rank 2, got f32 [6]."],
    ["bias", () => x.linear(input("w", [4, 6]), input("b", [6])), "linear: expected bias f32 [4], got f32 [6]."],
    [
      "layerNorm",
      () => x.layerNorm(input("s", [6]), input("b", [5]), 1e-5),
      "layerNorm: expected f32 [6], got f32 [5] (x = f32 [B,T,6]).",
    ],
    ["gather", () => x.gather(x), "gather: expected i32 ids, got f32 [B,T,6]."],
    ["pick", () => x.pick(ids), "pick: expected ids i32 [B,T], got i32 [B]."],
    [
      "scatterAdd",
      () => scatterAdd(ids, input("y", ["T", 2]), 3),
      "scatterAdd: expected rows for i32 [B], got f32 [T,2].",
    ],
    ["reshape", () => x.reshape(["B", 7]), "reshape: expected 6*B*T elements of f32 [B,T,6], got [B,7]."],
    ["reshape to -1", () => x.reshape([-1, 4]), "reshape: expected a multiple of 4, got f32 [B,T,6]."],
    [
      "transpose",
      () => x.transpose([0, 1, 1]),
      "transpose: expected a permutation of 3 axes, got [0,1,1] (x = f32 [B,T,6]).",
    ],
    ["slice axis", () => x.slice(3, 0, 1), "slice: expected an axis of f32 [B,T,6], got 3."],
    ["slice end", () => x.slice(2, 0, 7), "slice: expected an end within 6, got 7 (x = f32 [B,T,6])."],
    ["slice to a symbol", () => x.slice(2, 0, "T"), "slice: expected an end within 6, got T (x = f32 [B,T,6])."],
    ["slice start", () => x.slice(2, 4, 4), "slice: expected a start in 0..4, got 4."],
    [
      "concat",
      () => concat([x, input("y", ["B", "T", 6, 1])], -1),
      "concat: expected shapes equal to f32 [B,T,6] but for axis 2, got f32 [B,T,6,1].",
    ],
    ["concat of nothing", () => concat([], 0), "concat: expected input 0, got 0 inputs."],
    ["expand", () => x.expand(["B", "T", 5]), "expand: expected a shape that broadcasts to [B,T,5], got f32 [B,T,6]."],
    ["conv2d", () => x.conv2d(input("w", [4, 3, 3, 3])), "conv2d: expected rank 4, got f32 [B,T,6]."],
    [
      "conv2d channels",
      () => input("i", ["B", 2, 8, 8]).conv2d(input("w", [4, 3, 3, 3])),
      "conv2d: expected 3 channels, got f32 [B,2,8,8].",
    ],
    [
      "conv2d size",
      () => input("i", ["B", 3, 2, 8]).conv2d(input("w", [4, 3, 3, 3])),
      "conv2d: expected at least 3 rows and columns, got 2.",
    ],
    [
      "conv2d over symbols",
      () => input("i", ["B", 3, "Y", 8]).conv2d(input("w", [4, 3, 3, 3])),
      "conv2d: expected rows and columns without symbols, got Y.",
    ],
    ["constant", () => constant(Float32Array.of(1, 2), [3]), "constant: expected 3 values, got 2."],
    ["dim", () => x.dim(3), "dim: expected an axis of f32 [B,T,6], got 3."],
    ["size", () => x.size(1), "size: expected a known dim at axis 1, got f32 [B,T,6]."],
  ];
  it.each(cases)("%s", (_, build, message) => {
    expect(build).toThrow(new ShapeError(message));
  });

  it("begin with the path of a parameter that is used", () => {
    const w = new Params("lm").at("block3", "mlp", "fc1").get("weight", [768, 512], zeros);
    const h = input("x", [2, 32, 768]);
    expect(() => h.linear(w)).toThrow(
      new ShapeError("lm.block3.mlp.fc1.weight linear: expected inner dim 512, got 768 (x = f32 [2,32,768])."),
    );
  });
  it("name the nearest parameter before the fault", () => {
    const p = new Params("lm");
    const h = input("x", ["B", 4])
      .linear(p.get("near", [3, 4], zeros))
      .relu();
    expect(() => h.add(input("y", ["B", 2]))).toThrow(/^after lm\.near: add: expected shapes that broadcast/);
    expect(() => h.reshape([5, -1])).toThrow("after lm.near: reshape: expected a multiple of 5, got f32 [B,3].");
  });
  it("exit as wrong usage", () => {
    const error = new ShapeError("x");
    expect([error.exitCode, error.name]).toEqual([2, "ShapeError"]);
  });
});

describe("shapes", () => {
  const cases: [string, () => Tensor, unknown][] = [
    ["broadcast", () => x.add(input("y", ["T", 1])), ["B", "T", 6]],
    ["number", () => x.mul(2), ["B", "T", 6]],
    ["sum", () => x.sum(-1), ["B", "T"]],
    ["sum of all", () => x.sum(), []],
    ["mean, kept", () => x.mean([0, 2], true), [1, "T", 1]],
    ["argmax", () => x.argmax(), ["B", "T"]],
    ["matmul", () => x.matmul(x, { transB: true }), ["B", "T", "T"]],
    ["linear", () => x.linear(input("w", [4, 6])), ["B", "T", 4]],
    ["gather", () => input("table", [9, 2, 3]).gather(ids), ["B", 2, 3]],
    ["pick", () => x.pick(x.argmax()), ["B", "T"]],
    ["scatterAdd", () => scatterAdd(ids, input("y", ["B", 2]), 9), [9, 2]],
    ["reshape to rows", () => x.reshape([-1, 6]), ["B*T", 6]],
    ["reshape to one axis", () => x.reshape([-1]), ["6*B*T"]],
    ["reshape, symbol found", () => x.reshape([-1, "T", 2, 3]), ["B", "T", 2, 3]],
    ["reshape, number found", () => x.reshape(["B", "T", 2, -1]), ["B", "T", 2, 3]],
    ["reshape, product of both", () => x.reshape(["T", -1]), ["T", "6*B"]],
    ["slice", () => x.slice(-1, 1, 4), ["B", "T", 3]],
    ["slice to the end", () => x.slice(2, 2), ["B", "T", 4]],
    ["slice a symbol", () => x.slice(1, 1), ["B", "(T-1)", 6]],
    ["slice a whole symbol", () => x.slice(1, 0), ["B", "T", 6]],
    ["slice the start of a symbol", () => x.slice(1, 0, 2), ["B", 2, 6]],
    ["slice a product", () => x.reshape([-1, 6]).slice(0, 1), ["(B*T-1)", 6]],
    ["concat", () => concat([x, x], -1), ["B", "T", 12]],
    ["concat equal symbols", () => concat([x, x], 0), ["2*B", "T", 6]],
    ["concat symbols", () => concat([x, input("past", ["B", "S", 6])], 1), ["B", "(T+S)", 6]],
    [
      "concat, then heads",
      () => concat([x, input("p", ["B", "S", 6])], 1).reshape(["B", -1, 2, 3]),
      ["B", "(T+S)", 2, 3],
    ],
    ["concat a symbol and a number", () => concat([x, input("one", ["B", 1, 6])], 1), ["B", "(T+1)", 6]],
    ["pad", () => x.pad(-1, 1, 2), ["B", "T", 9]],
    ["pad a symbol", () => x.pad(1, 1, 0), ["B", "(T+1)", 6]],
    ["expand", () => input("q", [2, 1]).expand(["B", 2, 3]), ["B", 2, 3]],
    ["full", () => full([2, 3], 1), [2, 3]],
    [
      "conv2d",
      () => input("i", ["B", 3, 9, 8]).conv2d(input("w", [5, 3, 3, 3]), { stride: 2, padding: 1 }),
      ["B", 5, 5, 4],
    ],
    ["upsample", () => input("i", ["B", 3, 4, 5]).upsample(2), ["B", 3, 8, 10]],
  ];
  it.each(cases)("%s", (_, build, shape) => expect(build().shape).toEqual(shape));

  it("of the statistics of layerNorm", () => {
    const outputs = apply("layerNorm", [x, input("s", [6]), input("b", [6])], { eps: 1e-5 });
    expect(outputs.map((t) => t.shape)).toEqual([x.shape, ["B", "T", 1], ["B", "T", 1]]);
    expect(outputs.map((t) => t.index)).toEqual([0, 1, 2]);
  });
  it("keep the dtype", () => {
    expect(flag.reshape(["B", 1]).dtype).toBe("bool");
    expect(ids.add(1).dtype).toBe("i32");
    expect(ids.less(3).dtype).toBe("bool");
    expect(flag.where(ids, ids.mul(2)).dtype).toBe("i32");
    expect(x.argmin().dtype).toBe("i32");
    expect(flag.cast("f32").dtype).toBe("f32");
    expect(ids.cast("i32")).toBe(ids);
  });
});

describe("graphs", () => {
  it("sort inputs before users, each node once", () => {
    const a = input("a", [2]);
    const b = a.exp();
    const c = b.add(a).mul(b);
    expect(sortNodes([c, b]).map((node) => node.op)).toEqual(["input", "exp", "add", "mul"]);
  });
  it("of great depth do not overflow the stack", () => {
    let t = input("a", []);
    for (let i = 0; i < 20_000; i++) t = t.neg();
    expect(sortNodes([t]).length).toBe(20_001);
  });

  // Pins the number of nodes of a forward and backward pass: a rule that grows shows here.
  it("print forward and backward", () => {
    const p = new Params("mlp");
    const h = input("x", ["B", 4]).linear(p.get("w", [3, 4], normal(1)), p.get("b", [3], zeros));
    const y = h.layerNorm(p.get("scale", [3], zeros), p.get("bias", [3], zeros), 1e-5).gelu();
    const loss = y
      .logSoftmax()
      .pick(input("ids", ["B"], "i32"))
      .neg()
      .sum();
    expect(printGraph([loss, gradients(loss, [p.get("w", [3, 4], zeros)])[0]!])).toMatchSnapshot();
  });
});
