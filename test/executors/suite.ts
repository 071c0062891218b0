/** What every executor must compute like the reference: graphs, feeds and tolerances, at least one for each operation. */
import { gradients } from "../../src/autodiff/index.ts";
import { hashText, Rng } from "../../src/base/rng.ts";
import { type Dim, resolveDim } from "../../src/graph/dims.ts";
import {
  concat,
  constant,
  type DType,
  input,
  normal,
  type OpName,
  Params,
  paramAttrs,
  scatterAdd,
  sortNodes,
  staticSize,
  stopGradient,
  type Tensor,
} from "../../src/graph/index.ts";
import { apply } from "../../src/graph/tensor.ts";
import type { Value, Values } from "../../src/runtime/index.ts";

/** Elements of the parameter at a path. */
export type ParamSource = (path: string) => Float32Array;

/** One way of running graphs. */
export interface Executor {
  readonly name: string;
  /** Why it cannot run here. */
  readonly skip?: string;
  /** Error allowed in an operation that this executor computes less exactly, as a share of the largest value. */
  readonly tolerances?: { readonly [K in OpName]?: number };
  run(outputs: readonly Tensor[], feeds: Values, params: ParamSource): Promise<readonly Value[]>;
  close(): Promise<void>;
}

interface Feed {
  readonly dtype: DType;
  readonly shape: readonly Dim[];
  readonly draw: (rng: Rng) => number;
}

type Tensors<F> = { readonly [K in keyof F]: Tensor };

export interface Case {
  readonly name: string;
  readonly outputs: readonly Tensor[];
  readonly feeds: Readonly<Record<string, Feed>>;
  /** Sizes for the symbols of the feeds, one run each. */
  readonly runs: readonly Readonly<Record<string, number>>[];
}

/** Any float that float32 holds well. */
const f32 = (...shape: Dim[]): Feed => ({ dtype: "f32", shape, draw: (rng) => rng.normal() });
/** In [0.5,2.5). */
const positive = (...shape: Dim[]): Feed => ({ dtype: "f32", shape, draw: (rng) => 0.5 + 2 * rng.next() });
/** Few values, so that many are equal. */
const ties = (...shape: Dim[]): Feed => ({ dtype: "f32", shape, draw: (rng) => rng.int(3) - 1 });
/** In -9..9 but for 0. */
const i32 = (...shape: Dim[]): Feed => ({
  dtype: "i32",
  shape,
  draw: (rng) => (1 + rng.int(9)) * (rng.int(2) === 0 ? 1 : -1),
});
const bool = (...shape: Dim[]): Feed => ({ dtype: "bool", shape, draw: (rng) => rng.int(2) });
const idsBelow = (count: number, ...shape: Dim[]): Feed => ({ dtype: "i32", shape, draw: (rng) => rng.int(count) });

function graph<F extends Record<string, Feed>>(
  name: string,
  feeds: F,
  build: (inputs: Tensors<F>) => Tensor | readonly Tensor[],
): Case {
  const inputs = Object.fromEntries(Object.entries(feeds).map(([key, f]) => [key, input(key, f.shape, f.dtype)]));
  const built = build(inputs as Tensors<F>);
  const symbolic = Object.values(feeds).some(({ shape }) => shape.some((dim) => typeof dim === "string"));
  const runs = symbolic
    ? [
        { B: 2, T: 3 },
        { B: 5, T: 1 },
      ]
    : [{}];
  return { name, outputs: "dtype" in built ? [built] : built, feeds, runs };
}

export function drawFeeds(feeds: Case["feeds"], sizes: Readonly<Record<string, number>>): Record<string, Value> {
  const rng = new Rng(1);
  const draw = ({ dtype, shape, draw }: Feed): Value => {
    const dims = shape.map((dim) => resolveDim(dim, sizes)!);
    const values = Array.from({ length: staticSize(dims) }, () => draw(rng));
    return { shape: dims, data: dtype === "f32" ? Float32Array.from(values) : Int32Array.from(values) };
  };
  return Object.fromEntries(Object.entries(feeds).map(([key, feed]) => [key, draw(feed)]));
}

/** Random values of each parameter, the same for the same path. */
export function drawParams(outputs: readonly Tensor[]): ParamSource {
  const values = new Map<string, Float32Array>();
  for (const node of sortNodes(outputs)) {
    if (node.op !== "param") continue;
    const { path, shape } = paramAttrs(node.outputs[0]!);
    const rng = new Rng(hashText(path));
    values.set(
      path,
      Float32Array.from({ length: staticSize(shape) }, () => rng.normal()),
    );
  }
  return (path) => values.get(path)!;
}

function pointwise(build: (x: Tensor) => Tensor, feed: (...shape: Dim[]) => Feed = f32): Case[] {
  return [
    graph("symbolic", { x: feed("B", 7) }, ({ x }) => build(x)),
    graph("scalar", { x: feed() }, ({ x }) => build(x)),
  ];
}

function binary(build: (a: Tensor, b: Tensor) => Tensor, b: (...shape: Dim[]) => Feed = f32): Case[] {
  return [
    graph("f32", { a: f32("B", 5), b: b("B", 5) }, ({ a, b }) => build(a, b)),
    graph("f32 row", { a: f32("B", 5), b: b(5) }, ({ a, b }) => build(a, b)),
    graph("f32 outer", { a: f32("B", 1, 3), b: b("T", 1) }, ({ a, b }) => build(a, b)),
    graph("f32 and a number", { a: f32("B", 5) }, ({ a }) => build(a, constant(1.5))),
    graph("equal f32", { a: ties("B", 5) }, ({ a }) => build(a.add(3), a.square().add(1))),
    graph("i32", { a: i32("B", 5), b: i32("B", 5) }, ({ a, b }) => build(a, b)),
    graph("i32 column", { a: i32("B", 5), b: i32("B", 1) }, ({ a, b }) => build(a, b)),
  ];
}

/** The same graph for every dtype, for operations that only move elements. */
function moving(name: string, shape: readonly Dim[], build: (x: Tensor) => Tensor): Case[] {
  return [f32, i32, bool].map((feed) => graph(`${name}, ${feed().dtype}`, { x: feed(...shape) }, ({ x }) => build(x)));
}

const reductions = (reduce: (x: Tensor, axes?: number | number[], keepDims?: boolean) => Tensor): Case[] => [
  graph("last axis", { x: f32("B", 5) }, ({ x }) => reduce(x, -1)),
  graph("symbolic axis, kept", { x: f32("B", 5) }, ({ x }) => reduce(x, 0, true)),
  graph("outer axes", { x: f32("B", 4, "T") }, ({ x }) => reduce(x, [0, 2])),
  graph("all axes", { x: f32("B", 4, 3) }, ({ x }) => reduce(x)),
  graph("scalar", { x: f32() }, ({ x }) => reduce(x)),
];

const windows = [
  { name: "3x3 same", C: 3, Y: 6, X: 5, O: 4, h: 3, w: 3, stride: 1, padding: 1 },
  { name: "1x1", C: 3, Y: 4, X: 4, O: 2, h: 1, w: 1, stride: 1, padding: 0 },
  { name: "valid", C: 2, Y: 5, X: 6, O: 3, h: 3, w: 2, stride: 1, padding: 0 },
  { name: "padding wider than needed", C: 2, Y: 3, X: 3, O: 2, h: 2, w: 2, stride: 1, padding: 2 },
  { name: "stride 2, even size", C: 2, Y: 8, X: 6, O: 3, h: 3, w: 3, stride: 2, padding: 1 },
  { name: "stride 2, odd size", C: 2, Y: 7, X: 5, O: 3, h: 3, w: 3, stride: 2, padding: 1 },
  { name: "patches", C: 3, Y: 8, X: 4, O: 5, h: 4, w: 4, stride: 4, padding: 0 },
] as const;

type WindowCase = (typeof windows)[number];

const xFeed = ({ C, Y, X }: WindowCase): Feed => f32("B", C, Y, X);
const wFeed = ({ O, C, h, w }: WindowCase): Feed => f32(O, C, h, w);
const yFeed = ({ O, Y, X, h, w, stride, padding }: WindowCase): Feed => {
  const count = (size: number, kernel: number): number => Math.floor((size + 2 * padding - kernel) / stride) + 1;
  return f32("B", O, count(Y, h), count(X, w));
};

export const suite: { readonly [K in OpName]: readonly Case[] } = {
  input: moving("as output", ["B", 3], (x) => x),
  param: [
    graph("as output", {}, () => new Params("scope").get("weight", [2, 3], normal(1))),
    graph("used twice", { x: f32("B", 3) }, ({ x }) => {
      const w = new Params().get("w", [3, 3], normal(1));
      return x.linear(w).linear(w);
    }),
  ],
  constant: [
    graph("f32", {}, () => constant(Float32Array.of(1, 2, 3, 4, 5, 6), [2, 3])),
    graph("i32", {}, () => constant(Int32Array.of(1, -2))),
    graph("equal bytes, other shape and dtype", { x: f32("B", 2) }, ({ x }) => [
      x.add(constant(Float32Array.of(0, 0))),
      x.mul(constant(Float32Array.of(0, 0), [1, 2])),
      constant(Int32Array.of(0, 0)),
    ]),
    graph("many values", { x: f32("B", 40) }, ({ x }) => [
      x.add(constant(Float32Array.from({ length: 40 }, (_, i) => i))),
      x.add(constant(Float32Array.from({ length: 40 }, (_, i) => -i))),
    ]),
  ],
  stopGradient: pointwise(stopGradient),

  neg: pointwise((x) => x.neg()),
  exp: pointwise((x) => x.exp()),
  log: pointwise((x) => x.log(), positive),
  sqrt: pointwise((x) => x.sqrt(), positive),
  abs: pointwise((x) => x.abs()),
  sin: pointwise((x) => x.sin()),
  cos: pointwise((x) => x.cos()),
  tanh: pointwise((x) => x.tanh()),
  erf: pointwise((x) => x.erf()),
  sigmoid: pointwise((x) => x.mul(10).sigmoid()),
  relu: pointwise((x) => x.relu()),
  gelu: pointwise((x) => x.mul(2).gelu()),
  geluGrad: [
    graph("symbolic", { x: f32("B", 9), dy: f32("B", 9) }, ({ x, dy }) => apply("geluGrad", [x.mul(2), dy], {})),
  ],
  erfGate: [graph("symbolic", { u: f32("B", 9) }, ({ u }) => apply("erfGate", [u.mul(2)], {}))],
  silu: pointwise((x) => x.mul(5).silu()),

  add: binary((a, b) => a.add(b)),
  sub: binary((a, b) => a.sub(b)),
  mul: binary((a, b) => a.mul(b)),
  div: binary((a, b) => a.div(b), positive),
  maximum: binary((a, b) => a.maximum(b)),
  minimum: binary((a, b) => a.minimum(b)),
  equal: binary((a, b) => a.equal(b)),
  less: binary((a, b) => a.less(b)),
  where: [
    graph("f32", { c: bool("B", 4), a: f32("B", 4), b: f32("B", 4) }, ({ c, a, b }) => c.where(a, b)),
    graph("i32", { c: bool("B", 4), a: i32("B", 4), b: i32("B", 4) }, ({ c, a, b }) => c.where(a, b)),
    graph("row condition", { c: bool(4), a: f32("B", 4) }, ({ c, a }) => c.where(a, constant(-1))),
    graph("all broadcast", { c: bool("B", 1, 1), a: f32(3, 1), b: f32(4) }, ({ c, a, b }) => c.where(a, b)),
  ],
  cast: [
    graph("f32 to i32, towards 0", { x: f32("B", 5) }, ({ x }) => x.mul(3).cast("i32")),
    graph("f32 to bool", { x: ties("B", 5) }, ({ x }) => x.cast("bool")),
    graph("i32 to f32 and bool", { x: i32("B", 5) }, ({ x }) => [x.cast("f32"), x.add(3).cast("bool")]),
    graph("bool to f32 and i32", { x: bool("B", 5) }, ({ x }) => [x.cast("f32"), x.cast("i32")]),
  ],

  sum: reductions((x, axes, keepDims) => x.sum(axes, keepDims)),
  mean: reductions((x, axes, keepDims) => x.mean(axes, keepDims)),
  max: reductions((x, axes, keepDims) => x.max(axes, keepDims)),
  argmax: [
    graph("matrix", { x: f32("B", 9) }, ({ x }) => x.argmax()),
    graph("first of equals", { x: ties("B", 3, 6) }, ({ x }) => x.argmax()),
    graph("vector", { x: f32(4) }, ({ x }) => x.argmax()),
  ],
  argmin: [
    graph("matrix", { x: f32("B", 9) }, ({ x }) => x.argmin()),
    graph("first of equals", { x: ties("B", 3, 6) }, ({ x }) => x.argmin()),
    graph("vector", { x: f32(4) }, ({ x }) => x.argmin()),
  ],

  matmul: [
    graph("matrices", { a: f32("B", 3), b: f32(3, 4) }, ({ a, b }) => a.matmul(b)),
    graph("transA", { a: f32("B", 3), b: f32("B", 4) }, ({ a, b }) => a.matmul(b, { transA: true })),
    graph("transB, alpha", { a: f32("B", 3), b: f32(4, 3) }, ({ a, b }) => a.matmul(b, { transB: true, alpha: 0.3 })),
    graph("both", { a: f32(3, "B"), b: f32(4, 3) }, ({ a, b }) => a.matmul(b, { transA: true, transB: true })),
    graph("batched", { a: f32("B", 2, "T", 3), b: f32("B", 2, 3, "T") }, ({ a, b }) => a.matmul(b)),
    graph("batched, transB, alpha", { a: f32("B", 2, "T", 3), b: f32("B", 2, "T", 3) }, ({ a, b }) =>
      a.matmul(b, { transB: true, alpha: 0.5 }),
    ),
    graph("batched, transA", { a: f32("B", 2, "T", 3), b: f32("B", 2, "T", 4) }, ({ a, b }) =>
      a.matmul(b, { transA: true }),
    ),
    graph("batched, both", { a: f32("B", 3, "T"), b: f32("B", 4, 3) }, ({ a, b }) =>
      a.matmul(b, { transA: true, transB: true, alpha: -1 }),
    ),
    graph("batched by one", { a: f32("B", "T", 3), b: f32(3, 4) }, ({ a, b }) => a.matmul(b)),
    graph("batched by one, transB", { a: f32("B", "T", 3), b: f32(4, 3) }, ({ a, b }) => a.matmul(b, { transB: true })),
    graph("batched by one, transA", { a: f32("B", 3, "T"), b: f32(3, 4) }, ({ a, b }) => a.matmul(b, { transA: true })),
    graph("one by batched, alpha", { a: f32("T", 3), b: f32("B", 3, 4) }, ({ a, b }) => a.matmul(b, { alpha: 2 })),
    graph("leading axes that broadcast", { a: f32("B", 1, 2, 3), b: f32(4, 5, 3) }, ({ a, b }) =>
      a.matmul(b, { transB: true }),
    ),
    graph("addend", { a: f32("B", 3), b: f32(3, 4), c: f32("B", 4) }, ({ a, b, c }) =>
      apply("matmul", [a, b, c], { transA: false, transB: false, alpha: -0.5 }),
    ),
  ],
  linear: [
    graph("matrix", { x: f32("B", 3), w: f32(4, 3), b: f32(4) }, ({ x, w, b }) => x.linear(w, b)),
    graph("without bias", { x: f32("B", 3), w: f32(4, 3) }, ({ x, w }) => x.linear(w)),
    graph("rank 3", { x: f32("B", "T", 3), w: f32(4, 3), b: f32(4) }, ({ x, w, b }) => x.linear(w, b)),
    graph("addend", { x: f32("B", 2, 3), w: f32(4, 3), c: f32("B", 2, 4) }, ({ x, w, c }) => x.linear(w, c)),
    graph("alpha", { x: f32("B", 2, 3), w: f32(4, 3), b: f32(4) }, ({ x, w, b }) =>
      apply("linear", [x, w, b], { alpha: -0.5 }),
    ),
    graph("vector", { x: f32(3), w: f32(4, 3), b: f32(4) }, ({ x, w, b }) => x.linear(w, b)),
  ],
  softmax: [
    graph("matrix", { x: f32("B", 5) }, ({ x }) => x.softmax()),
    graph("masked", { x: f32("B", 2, 4) }, ({ x }) => x.add(constant(Float32Array.of(0, 0, -1e9, 0))).softmax()),
  ],
  logSoftmax: [
    graph("matrix", { x: f32("B", 5) }, ({ x }) => x.logSoftmax()),
    graph("large logits", { x: f32("B", 2, 4) }, ({ x }) => x.mul(100).logSoftmax()),
  ],
  layerNorm: [
    graph("output only", { x: f32("B", "T", 6), s: f32(6), b: f32(6) }, ({ x, s, b }) => x.layerNorm(s, b, 1e-5)),
    graph("with its statistics", { x: f32("B", "T", 6), s: f32(6), b: f32(6) }, ({ x, s, b }) =>
      apply("layerNorm", [x, s, b], { eps: 0.1 }),
    ),
    graph("one statistic", { x: f32("B", 6), s: f32(6), b: f32(6) }, ({ x, s, b }) =>
      apply("layerNorm", [x, s, b], { eps: 1e-5 }).slice(2),
    ),
  ],

  groupNorm: [
    graph("two groups", { x: f32("B", 4, 3, 5), s: f32(4), b: f32(4) }, ({ x, s, b }) =>
      x.groupNorm(s, b, { groups: 2, eps: 1e-5 }),
    ),
    graph("all outputs", { x: f32("B", 4, 2, 2), s: f32(4), b: f32(4) }, ({ x, s, b }) =>
      apply("groupNorm", [x, s, b], { groups: 4, eps: 0.1 }),
    ),
  ],
  gather: [
    ...[f32, i32, bool].map((feed) =>
      graph(`rows, ${feed().dtype}`, { x: feed(5, 3), ids: idsBelow(5, "B") }, ({ x, ids }) => x.gather(ids)),
    ),
    graph("ids of rank 2", { x: f32(5, 2, 2), ids: idsBelow(5, "B", "T") }, ({ x, ids }) => x.gather(ids)),
    graph("one id of numbers", { x: f32(5), ids: idsBelow(5) }, ({ x, ids }) => x.gather(ids)),
  ],
  scatterAdd: [
    graph("equal ids", { ids: idsBelow(3, "B", "T"), x: f32("B", "T", 4) }, ({ ids, x }) => scatterAdd(ids, x, 4)),
    graph("numbers", { ids: idsBelow(2, "B"), x: f32("B") }, ({ ids, x }) => scatterAdd(ids, x, 3)),
  ],
  pick: [
    graph("matrix", { x: f32("B", 4), ids: idsBelow(4, "B") }, ({ x, ids }) => x.pick(ids)),
    graph("rank 3", { x: f32("B", "T", 4), ids: idsBelow(4, "B", "T") }, ({ x, ids }) => x.pick(ids)),
    graph("vector", { x: f32(4), ids: idsBelow(4) }, ({ x, ids }) => x.pick(ids)),
  ],

  reshape: [
    ...moving("merge", ["B", "T", 2], (x) => x.reshape([-1, 2])),
    ...moving("split", ["B", 6], (x) => x.reshape(["B", 2, 3])),
    graph("to one axis and back", { x: f32("B", "T", 4) }, ({ x }) => x.reshape([-1]).reshape(["B", "T", 2, 2])),
    graph("symbols that change places", { x: f32("B", "T", 2) }, ({ x }) => x.reshape(["T", 2, "B"])),
  ],
  transpose: [
    ...moving("matrix", ["B", 3], (x) => x.transpose([1, 0])),
    graph("heads", { x: f32("B", "T", 2, 3) }, ({ x }) => x.transpose([0, 2, 1, 3])),
  ],
  slice: [
    ...moving("middle", ["B", 6], (x) => x.slice(1, 2, 5)),
    graph("last of each", { x: f32("B", 4, "T") }, ({ x }) => x.slice(1, 3)),
    graph("whole symbolic axis", { x: f32("B", 3) }, ({ x }) => x.slice(0, 0)),
    graph("all but the first", { x: f32("B", 3) }, ({ x }) => x.slice(0, 1).sum(0)),
    graph("start of a symbolic axis", { x: f32("B", 3) }, ({ x }) => x.slice(0, 0, 1)),
  ],
  concat: [
    ...moving("last axis", ["B", 2], (x) => concat([x, x.slice(1, 0, 1), x], -1)),
    graph("symbolic axis", { x: f32("B", "T", 2), y: f32("B", 4, 2) }, ({ x, y }) => concat([x, y], 1)),
  ],
  expand: [
    ...moving("to a symbol", [1, 3], (x) => x.expand([4, 2, 3])),
    graph("to the batch of another tensor", { x: f32("B", 3), q: f32(2, 3) }, ({ x, q }) =>
      q.expand(["B", 2, 3]).add(x.reshape(["B", 1, 3])),
    ),
    graph("to a product of symbols", { x: f32("B", "T"), q: f32(1, 3) }, ({ x, q }) =>
      q
        .expand(["2*B*T", 3])
        .sum(1)
        .add(concat([x, x], 1).reshape([-1])),
    ),
    graph("to a sum of symbols", { x: f32("B", 3), q: f32(1, 3) }, ({ x, q }) => {
      const longer = concat([x, x.slice(0, 0, 2), x], 0);
      return q.expand(longer.shape).mul(longer);
    }),
  ],
  pad: [
    ...moving("both sides", ["B", 3], (x) => x.pad(1, 1, 2)),
    graph("symbolic axis", { x: f32("B", 3) }, ({ x }) => x.pad(0, 1, 0)),
  ],

  conv2d: [
    ...windows.map((window) =>
      graph(window.name, { x: xFeed(window), w: wFeed(window) }, ({ x, w }) => x.conv2d(w, window)),
    ),
    graph("bias", { x: f32("B", 2, 4, 4), w: f32(3, 2, 3, 3), b: f32(3) }, ({ x, w, b }) =>
      apply("conv2d", [x, w, b], { stride: 1, padding: 1 }),
    ),
  ],
  conv2dInputGrad: windows.map((window) => {
    const { stride, padding, Y: rows, X: columns } = window;
    const attrs = { stride, padding, rows, columns };
    return graph(window.name, { w: wFeed(window), dy: yFeed(window) }, ({ w, dy }) =>
      apply("conv2dInputGrad", [w, dy], attrs),
    );
  }),
  conv2dWeightGrad: windows.map((window) => {
    const { stride, padding, h: height, w: width } = window;
    const attrs = { stride, padding, height, width };
    return graph(window.name, { x: xFeed(window), dy: yFeed(window) }, ({ x, dy }) =>
      apply("conv2dWeightGrad", [x, dy], attrs),
    );
  }),
  upsample: [
    graph("twice", { x: f32("B", 2, 3, 2) }, ({ x }) => x.upsample(2)),
    graph("three times", { x: f32("B", 1, 2, 3) }, ({ x }) => x.upsample(3)),
  ],
};

/** Whole networks with their backward passes. */
export const networks: readonly Case[] = [
  graph("transformer block", { x: f32("B", 4, 8), ids: idsBelow(5, "B", 4) }, ({ x, ids }) => {
    const p = new Params("block");
    const scale = p.get("scale", [8], normal(1));
    const bias = p.get("bias", [8], normal(1));
    const h = x.layerNorm(scale, bias, 1e-5).linear(p.get("qkv", [24, 8], normal(1)));
    const heads = h.reshape(["B", 4, 3, 2, 4]).transpose([2, 0, 3, 1, 4]); // [3,B,H,T,Dh]
    const part = (i: number): Tensor => heads.slice(0, i, i + 1).reshape(["B", 2, 4, 4]);
    const att = part(0).matmul(part(1), { transB: true, alpha: 0.5 }).softmax().matmul(part(2));
    const y = x.add(
      att
        .transpose([0, 2, 1, 3])
        .reshape(["B", 4, 8])
        .linear(p.get("proj", [8, 8], normal(1))),
    );
    const logits = y.gelu().linear(p.get("head", [5, 8], normal(1)), p.get("headBias", [5], normal(1)));
    const loss = logits.logSoftmax().pick(ids).neg().sum();
    return [loss, ...gradients(loss, [...p.declared().values(), x]).map((g) => g!)];
  }),
  graph("convolutional net", { x: f32("B", 3, 8, 8) }, ({ x }) => {
    const p = new Params("unet");
    const down = x.conv2d(p.get("down", [4, 3, 3, 3], normal(0.3)), { stride: 2, padding: 1 }).silu();
    const middle = down.conv2d(p.get("middle", [4, 4, 3, 3], normal(0.3)), { padding: 1 });
    const up = concat([middle.upsample(2), x], 1).conv2d(p.get("up", [3, 7, 3, 3], normal(0.3)), { padding: 1 });
    const loss = up.sub(x).square().sum();
    return [loss, ...gradients(loss, [...p.declared().values(), x]).map((g) => g!)];
  }),
  graph("token table", { ids: idsBelow(6, "B", 3) }, ({ ids }) => {
    const p = new Params();
    const table = p.get("table", [6, 4], normal(1));
    const x = table.gather(ids);
    const loss = x.max(1).mul(x.mean(1)).tanh().sum().add(table.square().sum());
    return [loss, ...gradients(loss, [table]).map((g) => g!)];
  }),
];
