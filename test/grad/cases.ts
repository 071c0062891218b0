/** Graphs whose gradients are checked, at least one for each operation that has a derivative rule. */
import type { OpName, Tensor } from "../../src/graph/index.ts";
import { concat, constant, full, scatterAdd } from "../../src/graph/index.ts";
import { apply } from "../../src/graph/tensor.ts";

export interface Case {
  readonly name: string;
  readonly shapes: readonly (readonly number[])[];
  readonly build: (inputs: readonly Tensor[]) => Tensor;
  /** Moves the input values, spread over (-2,2), into the domain of the operation. */
  readonly place?: (x: number) => number;
}

type Build1 = (x: Tensor) => Tensor;
type Build2 = (a: Tensor, b: Tensor) => Tensor;

function on(name: string, shape: readonly number[], build: Build1, place?: (x: number) => number): Case {
  return { name, shapes: [shape], build: ([x]) => build(x!), ...(place && { place }) };
}

function both(
  name: string,
  a: readonly number[],
  b: readonly number[],
  build: Build2,
  place?: (x: number) => number,
): Case {
  return { name, shapes: [a, b], build: ([x, y]) => build(x!, y!), ...(place && { place }) };
}

function pointwise(build: Build1, place?: (x: number) => number): Case[] {
  return [on("matrix", [2, 5], build, place), on("scalar", [], build, place)];
}

/** Operands of one shape and every way of broadcasting one to the other, and both. */
function broadcasting(build: Build2, place?: (x: number) => number): Case[] {
  return [
    both("equal shapes", [2, 3], [2, 3], build, place),
    both("row", [2, 3], [3], build, place),
    both("column", [2, 1], [2, 3], build, place),
    both("scalar", [2, 3], [], build, place),
    both("outer", [4, 1, 2], [3, 1], build, place),
  ];
}

/** Away from 0. */
const positive = (x: number): number => Math.abs(x) + 0.3;
const awayFromZero = (x: number): number => x + Math.sign(x) * 0.5;
const ids = (values: readonly number[], shape: readonly number[] = [values.length]): Tensor =>
  constant(Int32Array.from(values), shape);
const bools = (values: readonly number[], shape: readonly number[]): Tensor => ids(values, shape).cast("bool");

const product = (a: Tensor, b: Tensor, c: Tensor): Tensor =>
  apply("matmul", [a, b, c], { transA: false, transB: false, alpha: 0.5 })[0]!;

const reductions = (reduce: (x: Tensor, axes?: number | number[], keepDims?: boolean) => Tensor): Case[] => [
  on("all axes", [2, 3], (x) => reduce(x)),
  on("last axis", [2, 3, 4], (x) => reduce(x, -1)),
  on("first axis, kept", [2, 3], (x) => reduce(x, 0, true)),
  on("outer axes", [2, 3, 4], (x) => reduce(x, [0, 2])),
  on("scalar", [], (x) => reduce(x)),
];

const windows = [
  { name: "3x3 same", x: [2, 3, 4, 5], w: [2, 3, 3, 3], stride: 1, padding: 1 },
  { name: "1x1", x: [1, 2, 3, 3], w: [4, 2, 1, 1], stride: 1, padding: 0 },
  { name: "stride 2 with padding, odd size", x: [1, 2, 5, 7], w: [3, 2, 3, 3], stride: 2, padding: 1 },
  { name: "stride 2 that leaves the last row unread", x: [2, 1, 6, 6], w: [2, 1, 3, 3], stride: 2, padding: 0 },
  { name: "patches", x: [1, 3, 4, 4], w: [5, 3, 2, 2], stride: 2, padding: 0 },
  { name: "2x3 window", x: [1, 2, 4, 4], w: [2, 2, 2, 3], stride: 1, padding: 0 },
] as const;

function outputShape({ x, w, stride, padding }: (typeof windows)[number]): [number, number, number, number] {
  const count = (size: number, kernel: number): number => Math.floor((size + 2 * padding - kernel) / stride) + 1;
  return [x[0], w[0], count(x[2], w[2]), count(x[3], w[3])];
}

export const cases: { readonly [K in OpName]?: readonly Case[] } = {
  neg: pointwise((x) => x.neg()),
  exp: pointwise((x) => x.exp()),
  log: pointwise((x) => x.log(), positive),
  sqrt: pointwise((x) => x.sqrt(), positive),
  abs: pointwise((x) => x.abs()),
  sin: pointwise((x) => x.sin()),
  cos: pointwise((x) => x.cos()),
  tanh: pointwise((x) => x.tanh()),
  erf: pointwise((x) => x.erf()),
  sigmoid: pointwise((x) => x.sigmoid()),
  relu: [on("both signs", [2, 5], (x) => x.relu())],
  gelu: pointwise((x) => x.gelu()),
  erfGate: pointwise((x) => apply("erfGate", [x], {})[0]!),
  silu: pointwise((x) => x.silu()),

  add: broadcasting((a, b) => a.add(b)),
  sub: broadcasting((a, b) => a.sub(b)),
  mul: [
    ...broadcasting((a, b) => a.mul(b)),
    on("square", [3], (x) => x.mul(x), awayFromZero),
    on("relu, squared", [2, 5], (x) => x.relu().square()),
  ],
  div: broadcasting((a, b) => a.div(b), awayFromZero),
  maximum: broadcasting((a, b) => a.maximum(b)),
  minimum: broadcasting((a, b) => a.minimum(b)),
  where: [
    both("equal shapes", [2, 3], [2, 3], (a, b) => bools([1, 0, 0, 1, 1, 0], [2, 3]).where(a, b)),
    both("broadcast condition", [2, 3], [2, 3], (a, b) => bools([1, 0, 1], [3]).where(a, b)),
    both("broadcast values", [3], [2, 1], (a, b) => bools([1, 0, 0, 1, 1, 0], [2, 3]).where(a, b)),
    both("condition that depends on the values", [4], [4], (a, b) => a.less(b).where(a.mul(b), b)),
  ],

  sum: reductions((x, axes, keepDims) => x.sum(axes, keepDims)),
  mean: reductions((x, axes, keepDims) => x.mean(axes, keepDims)),
  max: reductions((x, axes, keepDims) => x.max(axes, keepDims)),

  matmul: [
    both("matrices", [2, 3], [3, 4], (a, b) => a.matmul(b)),
    both("transA", [3, 2], [3, 4], (a, b) => a.matmul(b, { transA: true })),
    both("transB", [2, 3], [4, 3], (a, b) => a.matmul(b, { transB: true })),
    both("transA and transB, alpha", [3, 2], [4, 3], (a, b) =>
      a.matmul(b, { transA: true, transB: true, alpha: -0.5 }),
    ),
    both("batched, alpha", [2, 2, 3], [2, 3, 2], (a, b) => a.matmul(b, { alpha: 0.25 })),
    both("batched by one, transB", [2, 2, 3], [4, 3], (a, b) => a.matmul(b, { transB: true })),
    both("one by batched, transA", [3, 2], [2, 3, 2], (a, b) => a.matmul(b, { transA: true })),
    both("leading axes that broadcast both ways", [2, 1, 2, 3], [3, 3, 2], (a, b) => a.matmul(b)),
    on("a matrix with itself", [2, 3], (x) => x.matmul(x, { transB: true })),
    {
      name: "addend",
      shapes: [
        [2, 3],
        [3, 4],
        [2, 4],
      ],
      build: ([a, b, c]) => product(a!, b!, c!),
    },
  ],
  linear: [
    { name: "bias", shapes: [[2, 3], [4, 3], [4]], build: ([x, w, b]) => x!.linear(w!, b) },
    { name: "rank 3", shapes: [[2, 2, 3], [4, 3], [4]], build: ([x, w, b]) => x!.linear(w!, b) },
    { name: "vector", shapes: [[3], [4, 3], [4]], build: ([x, w, b]) => x!.linear(w!, b) },
    both("without bias", [2, 3], [4, 3], (x, w) => x.linear(w)),
    {
      name: "addend",
      shapes: [
        [2, 2, 3],
        [4, 3],
        [2, 2, 4],
      ],
      build: ([x, w, c]) => x!.linear(w!, c),
    },
  ],
  softmax: [on("matrix", [3, 4], (x) => x.softmax()), on("rank 3", [2, 2, 3], (x) => x.softmax())],
  logSoftmax: [on("matrix", [3, 4], (x) => x.logSoftmax()), on("rank 3", [2, 2, 3], (x) => x.logSoftmax())],
  layerNorm: [
    { name: "matrix", shapes: [[3, 4], [4], [4]], build: ([x, s, b]) => x!.layerNorm(s!, b!, 1e-5) },
    { name: "rank 3, large eps", shapes: [[2, 2, 5], [5], [5]], build: ([x, s, b]) => x!.layerNorm(s!, b!, 0.5) },
    on("without scale and bias", [3, 4], (x) => x.layerNorm(full([4], 1), full([4], 0), 1e-5)),
    on("a scale that is a number, and a bias", [3, 4], (x) => x.layerNorm(full([4], 1), full([4], 2), 1e-5)),
    {
      name: "twice with the same scale",
      shapes: [[2, 4], [4], [4]],
      build: ([x, s, b]) => x!.layerNorm(s!, b!, 1e-5).mul(2).layerNorm(s!, b!, 0.1),
    },
  ],
  groupNorm: [
    {
      name: "two groups",
      shapes: [[2, 4, 2, 3], [4], [4]],
      build: ([x, s, b]) => x!.groupNorm(s!, b!, { groups: 2, eps: 1e-5 }),
    },
    {
      name: "every channel its own group, large eps",
      shapes: [[1, 3, 2, 2], [3], [3]],
      build: ([x, s, b]) => x!.groupNorm(s!, b!, { groups: 3, eps: 0.5 }),
    },
  ],

  gather: [
    on("rows, one of them twice", [4, 3], (x) => x.gather(ids([2, 0, 2]))),
    on("ids of rank 2", [3, 2], (x) => x.gather(ids([0, 1, 1, 2, 2, 2], [2, 3]))),
    on("numbers", [4], (x) => x.gather(ids([3, 0, 3]))),
  ],
  scatterAdd: [
    on("rows, equal ids", [3, 2], (x) => scatterAdd(ids([1, 0, 1]), x, 4)),
    on("ids of rank 2", [2, 2, 3], (x) => scatterAdd(ids([1, 0, 1, 2], [2, 2]), x, 3)),
  ],
  pick: [
    on("matrix", [3, 4], (x) => x.pick(ids([0, 3, 2]))),
    on("rank 3", [2, 2, 3], (x) => x.pick(ids([0, 2, 2, 1], [2, 2]))),
  ],

  reshape: [on("merge", [2, 3, 2], (x) => x.reshape([2, -1])), on("split", [6], (x) => x.reshape([3, 1, 2]))],
  transpose: [
    on("matrix", [2, 3], (x) => x.transpose([1, 0])),
    on("cycle", [2, 3, 4], (x) => x.transpose([2, 0, 1])),
    on("four axes", [2, 3, 2, 2], (x) => x.transpose([0, 2, 1, 3])),
  ],
  slice: [
    on("middle", [2, 5], (x) => x.slice(-1, 1, 4)),
    on("to the end", [4, 2], (x) => x.slice(0, 2)),
    on("one row", [3, 2], (x) => x.slice(0, 0, 1)),
  ],
  concat: [
    both("last axis", [2, 3], [2, 1], (a, b) => concat([a, b], -1)),
    both("first axis", [2, 3], [1, 3], (a, b) => concat([a, b], 0)),
    both("middle, one part twice", [2, 1, 2], [2, 2, 2], (a, b) => concat([a, b, a], 1)),
  ],
  expand: [
    on("new axes", [3], (x) => x.expand([2, 4, 3])),
    on("ones", [2, 1, 3], (x) => x.expand([2, 4, 3])),
    on("scalar", [], (x) => x.expand([2, 3])),
  ],
  pad: [
    on("both sides", [2, 3], (x) => x.pad(1, 1, 2)),
    on("before", [2, 3], (x) => x.pad(0, 1, 0)),
    on("after, middle axis", [2, 2, 2], (x) => x.pad(1, 0, 1)),
  ],

  conv2d: [
    ...windows.map(({ name, x, w, stride, padding }) => both(name, x, w, (a, b) => a.conv2d(b, { stride, padding }))),
    {
      name: "bias",
      shapes: [[2, 2, 3, 4], [3, 2, 3, 3], [3]],
      build: (inputs) => apply("conv2d", inputs, { stride: 1, padding: 1 })[0]!,
    },
  ],
  conv2dInputGrad: windows.map((window) => {
    const { name, x, w, stride, padding } = window;
    const attrs = { stride, padding, rows: x[2], columns: x[3] };
    return both(name, w, outputShape(window), (a, b) => apply("conv2dInputGrad", [a, b], attrs)[0]!);
  }),
  conv2dWeightGrad: windows.map((window) => {
    const { name, x, w, stride, padding } = window;
    const attrs = { stride, padding, height: w[2], width: w[3] };
    return both(name, x, outputShape(window), (a, b) => apply("conv2dWeightGrad", [a, b], attrs)[0]!);
  }),
  upsample: [
    on("twice", [2, 1, 2, 3], (x) => x.upsample(2)),
    on("three times", [1, 2, 2, 1], (x) => x.upsample(3)),
    on("once", [1, 1, 2, 2], (x) => x.upsample(1)),
  ],
};
