/**
 * Every operation in float64 with plain loops, to check other executors and derivatives against.
 *
 * All dtypes are held in a Float64Array: i32 as whole numbers that wrap at 32 bits, bool as 0 and 1.
 */
import { InputError } from "../base/errors.ts";
import { item } from "../base/item.ts";
import type { OpName } from "../graph/ops.ts";
import type { Node } from "../graph/tensor.ts";
import {
  addProduct,
  blocks,
  broadcastTo,
  eachProduct,
  permute,
  type RefArray,
  read,
  rowsOf,
  size,
  steps,
  swapLastTwo,
} from "./reference-arrays.ts";

/** Operations that compute, as opposed to those that stand for a given value. */
export type ComputedOp = Exclude<OpName, "input" | "param" | "constant">;

/** As many as the operation has; typed as at least three so that kernels can destructure them. The graph checks the number. */
export type Inputs = readonly [RefArray, RefArray, RefArray, ...RefArray[]];
export type Shapes = readonly [readonly number[], ...(readonly number[])[]];

/** Inputs and the shapes of the outputs, symbols resolved -> the elements of each output. */
export type Kernel<K extends OpName> = (
  inputs: Inputs,
  shapes: Shapes,
  node: Node<K>,
) => Float64Array | readonly Float64Array[];

function unary(f: (x: number) => number): Kernel<OpName> {
  return ([x]) => x.data.map(f);
}

/** Element by element over broadcast inputs; i32 results wrap. */
function elementwise(f: (a: number, b: number, c: number) => number): Kernel<OpName> {
  return (inputs, [shape], node) => {
    const [a, b, c = a] = inputs.map((x) => broadcastTo(x, shape)) as [Float64Array, Float64Array, Float64Array?];
    const whole = node.outputs[0]?.dtype === "i32";
    return Float64Array.from({ length: size(shape) }, (_, i) => {
      const value = f(a[i] as number, b[i] as number, c[i] as number);
      return whole ? value | 0 : value;
    });
  };
}

/** One number for each run of elements that differ only along `axes`. */
function reduce(f: (run: Float64Array) => number): Kernel<"sum" | "mean" | "max"> {
  return ([x], [shape], node) => {
    const { axes } = node.attrs;
    const kept = x.shape.map((_, i) => i).filter((i) => !axes.includes(i));
    const { data } = permute(x, [...kept, ...axes]);
    const width = size(axes.map((axis) => x.shape[axis] ?? 1));
    return Float64Array.from({ length: size(shape) }, (_, i) => f(data.subarray(i * width, (i + 1) * width)));
  };
}

/** A new row for each row of the last axis. */
function perRow(f: (row: Float64Array) => Float64Array): Kernel<OpName> {
  return ([x]) => {
    const out = new Float64Array(x.data.length);
    for (const [i, row] of rowsOf(x).entries()) out.set(f(row), i * row.length);
    return out;
  };
}

/** Rows with mean 0 and variance 1. */
function normalized(
  rows: readonly Float64Array[],
  eps: number,
): { readonly normed: Float64Array; readonly means: Float64Array; readonly inverses: Float64Array } {
  const means = Float64Array.from(rows, (row) => sum(row) / row.length);
  const inverses = Float64Array.from(rows, (row, i) => {
    const variance = sum(row.map((v) => (v - item(means, i)) ** 2)) / row.length;
    return 1 / Math.sqrt(variance + eps);
  });
  const normed = new Float64Array(rows.reduce((total, row) => total + row.length, 0));
  for (const [i, row] of rows.entries())
    normed.set(
      row.map((v) => (v - item(means, i)) * item(inverses, i)),
      i * row.length,
    );
  return { normed, means, inverses };
}

function sum(values: Float64Array): number {
  return values.reduce((a, b) => a + b, 0);
}

function largest(values: Float64Array): number {
  return values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
}

/** An id that must be in [0,count). @throws InputError */
function checkedId(id: number, count: number, op: OpName): number {
  if (id >= 0 && id < count) return id;
  throw new InputError(`${op}: expected ids in 0..${count - 1}, got ${id}.`);
}

/**
 * Error function, within 1e-15: erf x = 2/√π exp(-x²) Σ 2ⁿ x²ⁿ⁺¹ / (2n+1)!!, whose terms all have one sign.
 * @see Abramowitz and Stegun 7.1.6
 */
export function erf(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x); // 1 - |erf x| < 3e-17
  let term = x;
  let total = x;
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(total); n++) {
    term *= (2 * x * x) / (2 * n + 1);
    total += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * total;
}

/** Φ, the normal distribution function. */
function normalCdf(x: number): number {
  return 0.5 * (1 + erf(x / Math.SQRT2));
}

function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

export const kernels: { readonly [K in ComputedOp]: Kernel<K> } = {
  stopGradient: unary((x) => x),
  neg: unary((x) => -x),
  exp: unary(Math.exp),
  log: unary(Math.log),
  sqrt: unary(Math.sqrt),
  abs: unary(Math.abs),
  sin: unary(Math.sin),
  cos: unary(Math.cos),
  tanh: unary(Math.tanh),
  erf: unary(erf),
  sigmoid: unary(sigmoid),
  relu: unary((x) => Math.max(x, 0)),
  gelu: unary((x) => x * normalCdf(x)),
  geluGrad: elementwise((x, dy) => dy * (normalCdf(x) + (x * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI))),
  erfGate: ([u]) => [u.data.map((x) => x * (1 + erf(x))), u.data.map((x) => 1 + erf(x))],
  silu: unary((x) => x * sigmoid(x)),

  add: elementwise((a, b) => a + b),
  sub: elementwise((a, b) => a - b),
  mul: elementwise((a, b) => a * b),
  div: elementwise((a, b) => a / b),
  maximum: elementwise((a, b) => Math.max(a, b)),
  minimum: elementwise((a, b) => Math.min(a, b)),
  equal: elementwise((a, b) => Number(a === b)),
  less: elementwise((a, b) => Number(a < b)),
  where: elementwise((condition, a, b) => (condition ? a : b)),
  cast: ([x], _, { attrs }) =>
    x.data.map((v) => (attrs.to === "bool" ? Number(v !== 0) : attrs.to === "i32" ? Math.trunc(v) : v)),

  sum: reduce(sum),
  mean: reduce((run) => sum(run) / run.length),
  max: reduce(largest),
  argmax: ([x]) => Float64Array.from(rowsOf(x), (row) => row.indexOf(largest(row))),
  argmin: ([x]) => Float64Array.from(rowsOf(x), (row) => row.indexOf(-largest(row.map((v) => -v)))),

  matmul: ([a, b, c], [shape], { attrs }) => {
    const [left, right] = [attrs.transA ? swapLastTwo(a) : a, attrs.transB ? swapLastTwo(b) : b];
    const [rows = 1, inner = 1, columns = 1] = [left.shape.at(-2), left.shape.at(-1), right.shape.at(-1)];
    const lead = shape.slice(0, -2);
    const [l, r] = [broadcastTo(left, [...lead, rows, inner]), broadcastTo(right, [...lead, inner, columns])];
    const out = c ? c.data.slice() : new Float64Array(size(shape));
    for (let i = 0; i < size(lead); i++)
      addProduct(
        out.subarray(i * rows * columns, (i + 1) * rows * columns),
        l.subarray(i * rows * inner, (i + 1) * rows * inner),
        r.subarray(i * inner * columns, (i + 1) * inner * columns),
        [rows, inner, columns],
        attrs.alpha,
      );
    return out;
  },
  linear: ([x, w, b], [shape], { attrs }) => {
    const [columns, inner] = w.shape as [number, number];
    const out = b ? broadcastTo(b, shape) : new Float64Array(size(shape));
    addProduct(out, x.data, swapLastTwo(w).data, [size(shape.slice(0, -1)), inner, columns], attrs.alpha);
    return out;
  },
  softmax: perRow((row) => {
    const top = largest(row);
    const powers = row.map((v) => Math.exp(v - top));
    const total = sum(powers);
    return powers.map((v) => v / total);
  }),
  logSoftmax: perRow((row) => {
    const top = largest(row);
    const total = top + Math.log(sum(row.map((v) => Math.exp(v - top))));
    return row.map((v) => v - total);
  }),
  layerNorm: ([x, scale, bias], _, { attrs }) => {
    const { normed, means, inverses } = normalized(rowsOf(x), attrs.eps);
    const width = scale.data.length;
    const y = normed.map((v, i) => v * item(scale.data, i % width) + item(bias.data, i % width));
    return [y, means, inverses];
  },
  groupNorm: ([x, scale, bias], _, { attrs }) => {
    const [B, C, Y, X] = x.shape as [number, number, number, number];
    const groups = { shape: [B * attrs.groups, (C / attrs.groups) * Y * X], data: x.data };
    const { normed, inverses } = normalized(rowsOf(groups), attrs.eps);
    const channel = (i: number): number => Math.floor(i / (Y * X)) % C;
    return [normed.map((v, i) => v * item(scale.data, channel(i)) + item(bias.data, channel(i))), normed, inverses];
  },

  gather: ([table, ids], [shape]) => {
    const width = size(table.shape.slice(1));
    const out = new Float64Array(size(shape));
    for (const [i, id] of ids.data.entries()) {
      const from = checkedId(id, table.shape[0] ?? 0, "gather") * width;
      out.set(table.data.subarray(from, from + width), i * width);
    }
    return out;
  },
  scatterAdd: ([ids, rows], [shape], { attrs }) => {
    const width = size(shape.slice(1));
    const out = new Float64Array(size(shape));
    for (const [i, id] of ids.data.entries()) {
      const to = checkedId(id, attrs.count, "scatterAdd") * width;
      for (let k = 0; k < width; k++) out[to + k]! += rows.data[i * width + k]!;
    }
    return out;
  },
  pick: ([x, ids]) => {
    const rows = rowsOf(x);
    return Float64Array.from(rows, (row, i) => row[checkedId(ids.data[i] as number, row.length, "pick")] as number);
  },

  reshape: ([x]) => x.data,
  transpose: ([x], _, { attrs }) => permute(x, attrs.perm).data,
  slice: ([x], [shape], { attrs }) => {
    const step = steps(x.shape);
    return read(x.data, shape, step, attrs.start * (step[attrs.axis] ?? 1));
  },
  concat: (inputs, [shape], { attrs }) => {
    const out = new Float64Array(size(shape));
    const { outer, inner } = blocks(shape, attrs.axis);
    let before = 0;
    for (const x of inputs) {
      const width = blocks(x.shape, attrs.axis).inner;
      for (let i = 0; i < outer; i++) out.set(x.data.subarray(i * width, (i + 1) * width), i * inner + before);
      before += width;
    }
    return out;
  },
  expand: ([x], [shape]) => broadcastTo(x, shape),
  pad: ([x], [shape], { attrs }) => {
    const out = new Float64Array(size(shape));
    const { outer, inner } = blocks(shape, attrs.axis);
    const width = blocks(x.shape, attrs.axis).inner;
    const before = attrs.before * size(x.shape.slice(attrs.axis + 1));
    for (let i = 0; i < outer; i++) out.set(x.data.subarray(i * width, (i + 1) * width), i * inner + before);
    return out;
  },

  conv2d: ([x, w, b], [shape], { attrs }) => {
    const column = b && { shape: [b.data.length, 1, 1], data: b.data };
    const out = column ? broadcastTo(column, shape) : new Float64Array(size(shape));
    eachProduct(x.shape, w.shape, shape, attrs, (xi, wi, yi) => {
      out[yi]! += x.data[xi]! * w.data[wi]!;
    });
    return out;
  },
  conv2dInputGrad: ([w, dy], [shape], { attrs }) => {
    const out = new Float64Array(size(shape));
    eachProduct(shape, w.shape, dy.shape, attrs, (xi, wi, yi) => {
      out[xi]! += dy.data[yi]! * w.data[wi]!;
    });
    return out;
  },
  conv2dWeightGrad: ([x, dy], [shape], { attrs }) => {
    const out = new Float64Array(size(shape));
    eachProduct(x.shape, shape, dy.shape, attrs, (xi, wi, yi) => {
      out[wi]! += x.data[xi]! * dy.data[yi]!;
    });
    return out;
  },
  upsample: ([x], [shape], { attrs }) => {
    const [, , rows = 1, columns = 1] = shape;
    const { factor } = attrs;
    const width = columns / factor;
    return Float64Array.from({ length: size(shape) }, (_, i) => {
      const [plane, y, column] = [Math.floor(i / (rows * columns)), Math.floor(i / columns) % rows, i % columns];
      const row = (plane * rows) / factor + Math.floor(y / factor);
      return item(x.data, row * width + Math.floor(column / factor));
    });
  },
};
