/** How each operation is written in ONNX operators (opset 21 and, on the CPU, com.microsoft's fused products). */
import { InputError } from "../base/errors.ts";
import { type Dim, isStatic } from "../graph/dims.ts";
import type { OpName } from "../graph/ops.ts";
import type { Node, Tensor } from "../graph/tensor.ts";
import type { Emitter } from "./emit.ts";
import { OnnxType } from "./proto.ts";
import { quantizedLinear, quantizedRows, storedRows } from "./quantized.ts";
import { productsByImage, productsByTap } from "./weight-gradient.ts";

/** Returns the name of the first output, or undefined if it has named its outputs itself. */
export type Lowering<K extends OpName> = (e: Emitter, node: Node<K>) => string | undefined;

const names = (e: Emitter, node: Node): string[] => node.inputs.map((t) => e.name(t));

const direct =
  (op: string) =>
  (e: Emitter, node: Node): string =>
    e.add(op, names(e, node));

const reduction =
  (op: string) =>
  (e: Emitter, node: Node<"sum"> | Node<"mean"> | Node<"max">): string => {
    const { axes, keepDims } = node.attrs;
    if (axes.length === 0) return e.name(node.inputs[0]);
    return e.add(op, [e.name(node.inputs[0]), e.longs(axes)], { keepdims: keepDims ? 1 : 0 });
  };

const lastAxisIndex =
  (op: string) =>
  (e: Emitter, node: Node): string => {
    const index = e.add(op, names(e, node), { axis: -1, keepdims: 0 });
    return e.add("Cast", [index], { to: OnnxType.i32 });
  };

function reshape(e: Emitter, name: string, from: readonly Dim[], to: readonly Dim[]): string {
  return e.add("Reshape", [name, e.reshapeTo(from, to)]);
}

/** Rank 2 with the same last axis. */
function toRows(e: Emitter, t: Tensor): string {
  if (t.rank === 2) return e.name(t);
  return e.once(`${e.name(t)} as rows`, () => e.add("Reshape", [e.name(t), e.longs([-1, t.size(-1)])]));
}

function swapLast(e: Emitter, name: string, rank: number): string {
  const perm = Array.from({ length: rank }, (_, i) => i);
  perm.splice(rank - 2, 2, rank - 1, rank - 2);
  return e.add("Transpose", [name], { perm });
}

/** Slices [starts:ends:step] on the given axes of a tensor. */
function slice(e: Emitter, x: string, axes: number[], starts: number[], ends: (number | bigint)[], step = 1): string {
  return e.add("Slice", [x, e.longs(starts), e.longs(ends), e.longs(axes), e.longs(axes.map(() => step))]);
}

const LAST = 0x7fffffffffffffffn;

export const lowerings: { readonly [K in OpName]: Lowering<K> } = {
  input: (e, n) => e.feed(n.attrs.name, n.attrs.dtype, n.attrs.shape),
  param: (e, n) => {
    const { path, shape } = n.attrs;
    const stored = e.options.weight(path);
    if (!stored) return e.feed(path, "f32", shape);
    if ("scale" in stored)
      throw new InputError(
        `${path}: expected floats, as not only linear layers read it. Leave it out of quantization.`,
      );
    e.initializers.push({ name: path, type: stored.dtype, shape, data: stored.data });
    return stored.dtype === "f32" ? path : e.add("Cast", [path], { to: OnnxType.f32 });
  },
  constant: (e, n) => {
    const { data, shape } = n.attrs;
    return data instanceof Int32Array ? e.ints(data, shape) : e.floats(data, shape);
  },
  stopGradient: (e, n) => e.name(n.inputs[0]),

  neg: direct("Neg"),
  exp: direct("Exp"),
  log: direct("Log"),
  sqrt: direct("Sqrt"),
  abs: direct("Abs"),
  sin: direct("Sin"),
  cos: direct("Cos"),
  tanh: direct("Tanh"),
  erf: direct("Erf"),
  sigmoid: direct("Sigmoid"),
  relu: direct("Relu"),
  gelu: direct("Gelu"),
  geluGrad: (e, n) => {
    // Φ(x) + x φ(x) with u = x/√2: Φ = ½ (1 + erf u), φ = exp(-u²) / √(2π); written for the fewest passes over memory.
    const [x, dy] = names(e, n) as [string, string];
    const u = e.add("Mul", [x, e.scalar(Math.SQRT1_2)]);
    const half = { alpha: { float: 0.5 }, beta: { float: 0.5 } };
    const share = e.add("HardSigmoid", [e.add("Erf", [u])], half); // linear on -1..1, the range of erf
    const bell = e.add("Exp", [e.add("Sub", [e.scalar(-Math.log(Math.sqrt(2 * Math.PI))), e.add("Mul", [u, u])])]);
    return e.add("Mul", [e.add("Add", [e.add("Mul", [x, bell]), share]), dy]);
  },
  erfGate: (e, n) => {
    const u = e.name(n.inputs[0]);
    const gate = e.add("Add", [e.add("Erf", [u]), e.scalar(1)]);
    e.setName(n.outputs[0], e.add("Mul", [u, gate]));
    e.setName(n.outputs[1], gate);
    return undefined;
  },
  silu: (e, n) => {
    const x = e.name(n.inputs[0]);
    return e.add("Mul", [x, e.add("Sigmoid", [x])]);
  },

  add: direct("Add"),
  sub: direct("Sub"),
  mul: direct("Mul"),
  div: direct("Div"),
  maximum: direct("Max"),
  minimum: direct("Min"),
  equal: direct("Equal"),
  less: direct("Less"),
  where: direct("Where"),
  cast: (e, n) => e.add("Cast", names(e, n), { to: OnnxType[n.attrs.to] }),

  sum: reduction("ReduceSum"),
  mean: reduction("ReduceMean"),
  max: reduction("ReduceMax"),
  argmax: lastAxisIndex("ArgMax"),
  argmin: lastAxisIndex("ArgMin"),

  matmul: (e, n) => {
    const [a, b] = n.inputs;
    const { transA, transB, alpha } = n.attrs;
    const flags = { transA: transA ? 1 : 0, transB: transB ? 1 : 0, alpha: { float: alpha } };
    if (a.rank === 2 && b.rank === 2) return e.add("Gemm", names(e, n), flags);
    if (!transA && !transB && alpha === 1) return e.add("MatMul", names(e, n));
    if (e.options.target === "cpu") return e.add("FusedMatMul", names(e, n), flags, "com.microsoft");
    const left = transA ? swapLast(e, e.name(a), a.rank) : e.name(a);
    const right = transB ? swapLast(e, e.name(b), b.rank) : e.name(b);
    const product = e.add("MatMul", [left, right]);
    return alpha === 1 ? product : e.add("Mul", [product, e.scalar(alpha)]);
  },
  linear: (e, n) => {
    const [x, w, b] = n.inputs;
    const { alpha } = n.attrs;
    const rows = toRows(e, x);
    const addend = b && (b.rank === 1 ? e.name(b) : toRows(e, b));
    const apart = alpha !== 1 || (b && b.rank > 1); // what integer products do not apply themselves
    let product = quantizedLinear(e, rows, w, apart ? undefined : addend);
    if (product === undefined) {
      const flags = { transB: 1, ...(alpha !== 1 && { alpha: { float: alpha } }) };
      product = e.add("Gemm", [rows, e.name(w), ...(addend ? [addend] : [])], flags);
    } else if (apart) {
      if (alpha !== 1) product = e.add("Mul", [product, e.scalar(alpha)]);
      if (addend) product = e.add("Add", [product, addend]);
    }
    if (x.rank === 2) return product;
    const flat = [-1, n.outputs[0].dim(-1)];
    return reshape(e, product, flat, n.outputs[0].shape);
  },
  softmax: (e, n) => e.add("Softmax", names(e, n), { axis: -1 }),
  logSoftmax: (e, n) => e.add("LogSoftmax", names(e, n), { axis: -1 }),
  layerNorm: (e, n) => {
    // Mean and inverse deviation come for free, but only if something (the derivative) reads them.
    const stats = n.outputs.slice(1).some((t) => e.used(t));
    const outputs = (stats ? n.outputs : n.outputs.slice(0, 1)).map((t) => {
      e.setName(t, e.fresh());
      return e.name(t);
    });
    const attributes = { axis: -1, epsilon: { float: n.attrs.eps } };
    e.nodes.push({ op: "LayerNormalization", inputs: names(e, n), outputs, attributes });
    return undefined;
  },

  groupNorm: (e, n) => {
    const [x, scale, bias] = n.inputs;
    const { groups, eps } = n.attrs;
    const [C, Y, X] = [x.size(1), x.size(2), x.size(3)];
    const size = (C / groups) * Y * X;
    const flat = e.add("Reshape", [e.name(x), e.longs([0, groups, size])]);
    const fill = (value: number): string => e.add("Expand", [e.scalar(value), e.longs([size])]);
    const inputs = [flat, fill(1), fill(0)];
    const [y, stats] = [e.fresh(), e.used(n.outputs[2]) ? [e.fresh(), e.fresh()] : []];
    const attributes = { axis: -1, epsilon: { float: eps } };
    e.nodes.push({ op: "LayerNormalization", inputs, outputs: [y, ...stats], attributes });
    const normed = e.add("Reshape", [y, e.longs([0, C, Y, X])]);
    const column = (t: Tensor): string => e.add("Reshape", [e.name(t), e.longs([C, 1, 1])]);
    e.setName(n.outputs[0], e.add("Add", [e.add("Mul", [normed, column(scale)]), column(bias)]));
    e.setName(n.outputs[1], normed);
    if (stats[1]) e.setName(n.outputs[2], stats[1]);
    return undefined;
  },

  gather: (e, n) => {
    const [table, ids] = n.inputs as readonly [Tensor, Tensor];
    return quantizedRows(e, table, ids, n.outputs[0]!.shape) ?? e.add("Gather", names(e, n), { axis: 0 });
  },
  scatterAdd: (e, n) => {
    const [ids, rows] = n.inputs;
    const out = n.outputs[0];
    if (!isStatic(out.shape)) throw new Error("scatterAdd: expected a known shape of rows");
    const index = e.add("Reshape", [e.add("Cast", [e.name(ids)], { to: OnnxType.i64 }), e.longs([-1, 1])]);
    const flat = e.add("Reshape", [e.name(rows), e.longs([-1, ...out.shape.slice(1)])]);
    const empty = e.add("Expand", [e.scalar(0), e.longs(out.shape)]);
    return e.add("ScatterND", [empty, index, flat], { reduction: "add" });
  },
  pick: (e, n) => {
    const [x, ids] = n.inputs;
    const column = reshape(e, e.name(ids), ids.shape, [...ids.shape, 1]);
    const picked = e.add("GatherElements", [e.name(x), column], { axis: x.rank - 1 });
    return reshape(e, picked, [...ids.shape, 1], ids.shape);
  },

  reshape: (e, n) => reshape(e, e.name(n.inputs[0]), n.inputs[0].shape, n.attrs.shape),
  transpose: (e, n) => e.add("Transpose", names(e, n), { perm: n.attrs.perm }),
  slice: (e, n) => {
    const rows = storedRows(n as Node, e.options.weight);
    if (rows) {
      const name = e.stored(rows.name, rows.type, rows.shape, rows.data);
      return rows.dtype === "f32" ? name : e.add("Cast", [name], { to: OnnxType.f32 });
    }
    const { axis, start, end } = n.attrs;
    return slice(e, e.name(n.inputs[0]), [axis], [start], [typeof end === "number" ? end : LAST]);
  },
  concat: (e, n) => e.add("Concat", names(e, n), { axis: n.attrs.axis }),
  expand: (e, n) => e.add("Expand", [e.name(n.inputs[0]), e.shapeOf(n.attrs.shape)]),
  pad: (e, n) => {
    const { axis, before, after } = n.attrs;
    const [x] = n.inputs;
    const sides = Array<number>(2 * x.rank).fill(0);
    sides[axis] = before;
    sides[x.rank + axis] = after;
    return e.add("Pad", [e.name(x), e.longs(sides)]);
  },

  conv2d: (e, n) => {
    const { stride, padding } = n.attrs;
    const pads = [padding, padding, padding, padding];
    return e.add("Conv", names(e, n), { strides: [stride, stride], pads });
  },
  conv2dInputGrad: (e, n) => {
    const [w, dy] = n.inputs;
    const { stride, padding, rows, columns } = n.attrs;
    const [h, width] = [w.size(2), w.size(3)];
    if (stride === 1 && padding < h && padding < width) {
      // Faster than ConvTranspose: a convolution with kernels rotated by 180 degrees and input and output channels swapped.
      const turned = slice(e, e.name(w), [2, 3], [-1, -1], [-LAST, -LAST], -1);
      const exchanged = e.add("Transpose", [turned], { perm: [1, 0, 2, 3] });
      const [y, x] = [h - 1 - padding, width - 1 - padding];
      return e.add("Conv", [e.name(dy), exchanged], { pads: [y, x, y, x] });
    }
    const missing = [rows, columns].map((size, i) => {
      const kernel = i === 0 ? h : width;
      return size - ((dy.size(2 + i) - 1) * stride - 2 * padding + kernel);
    });
    const pads = [padding, padding, padding, padding];
    const attributes = { strides: [stride, stride], pads, output_padding: missing };
    return e.add("ConvTranspose", [e.name(dy), e.name(w)], attributes);
  },
  conv2dWeightGrad: (e, n) => (e.options.target === "cpu" ? productsByTap(e, n) : productsByImage(e, n)),
  upsample: (e, n) => {
    const { factor } = n.attrs;
    const scales = e.floats(Float32Array.of(1, 1, factor, factor), [4]);
    const attributes = { mode: "nearest", coordinate_transformation_mode: "asymmetric", nearest_mode: "floor" };
    return e.add("Resize", [e.name(n.inputs[0]), "", scales], attributes);
  },
};
