/**
 * Every operation of a graph: its attributes and its shape rule.
 *
 * A rule sees the types of the inputs, returns the types of the outputs, and throws `Mismatch` with what it expected.
 * The other tables over `OpName` (derivative, ONNX, reference) are typed so that the compiler names a missing entry.
 * Shapes are written with the letters of docs/architecture.md: B batch, T tokens, D width, C Y X channels, rows, columns.
 */
import { item } from "../base/item.ts";
import { addDims, broadcast, type Dim, normalAxis, printShape, type Shape, sameShape, sizeOf } from "./dims.ts";

export type DType = "f32" | "i32" | "bool";

export interface TensorType {
  readonly dtype: DType;
  readonly shape: Shape;
}

/** Initial value of a parameter. `normal` and `uniform` are drawn from the seed of the run and the name path. */
export type Init =
  | { readonly kind: "normal"; readonly std: number }
  | { readonly kind: "uniform"; readonly bound: number }
  | { readonly kind: "constant"; readonly value: number };

export interface Window {
  /** Step between windows, both axes. */
  readonly stride: number;
  /** Zero padding at all four sides. */
  readonly padding: number;
}

type None = Readonly<Record<string, never>>;
type Reduce = { readonly axes: readonly number[]; readonly keepDims: boolean };

/** Attributes of each operation, with its formula. */
export interface OpAttrs {
  /** A value fed at run time. */
  input: { readonly name: string } & TensorType;
  /** A named weight; the path is its key in a checkpoint. */
  param: { readonly path: string; readonly shape: readonly number[]; readonly init: Init };
  /** A small literal. */
  constant: { readonly data: Float32Array | Int32Array; readonly shape: readonly number[] };
  /** x, through which no gradient flows. */
  stopGradient: None;

  neg: None;
  exp: None;
  log: None;
  sqrt: None;
  abs: None;
  sin: None;
  cos: None;
  tanh: None;
  erf: None;
  sigmoid: None;
  relu: None;
  /** x Φ(x), the exact (erf) form. */
  gelu: None;
  /** dy (Φ(x) + x φ(x)), inputs x, dy. */
  geluGrad: None;
  /** u (1 + erf u), which is √2 gelu(√2 u). Outputs it and 1 + erf u, which its derivative reads. */
  erfGate: None;
  /** x sigmoid(x). */
  silu: None;

  add: None;
  sub: None;
  mul: None;
  div: None;
  maximum: None;
  minimum: None;
  /** a == b, bool. */
  equal: None;
  /** a < b, bool. */
  less: None;
  /** condition ? a : b. */
  where: None;
  cast: { readonly to: DType };

  sum: Reduce;
  mean: Reduce;
  max: Reduce;
  /** Index of the first largest entry of the last axis, i32. */
  argmax: None;
  /** Index of the first smallest entry of the last axis, i32. */
  argmin: None;

  /** alpha op(a) op(b) over the last two axes; leading axes broadcast. For rank 2, optionally + c, of the result's shape. */
  matmul: { readonly transA: boolean; readonly transB: boolean; readonly alpha: number };
  /**
   * alpha x wᵀ + b over the last axis; w [out,in], b [out] (PyTorch's layout) or of the result's shape. Inputs x, w,
   * optionally b.
   */
  linear: { readonly alpha: number };
  /** Over the last axis. */
  softmax: None;
  logSoftmax: None;
  /** (x - mean) / sqrt(var + eps) scale + bias over the last axis. Outputs y, mean, 1/sqrt(var + eps). */
  layerNorm: { readonly eps: number };

  /**
   * Each group of channels of an image normalized over its channels and pixels, then scaled by channel. Inputs x
   * [B,C,Y,X], scale [C], bias [C]. Outputs y, x normalized, and 1/sqrt(var + eps) as [B,groups,1].
   */
  groupNorm: { readonly groups: number; readonly eps: number };

  /** Rows of a table: table [N,...rest], ids i32 [...S] -> [...S,...rest]. */
  gather: None;
  /** Adjoint of gather: ids i32 [...S], rows [...S,...rest] -> [count,...rest], equal ids added up. */
  scatterAdd: { readonly count: number };
  /** x[..., ids]: x [...S,V], ids i32 [...S] -> [...S]. */
  pick: None;

  reshape: { readonly shape: Shape };
  transpose: { readonly perm: readonly number[] };
  /** x[start:end] on one axis; `end` may be at a symbolic dim. */
  slice: { readonly axis: number; readonly start: number; readonly end: Dim };
  concat: { readonly axis: number };
  expand: { readonly shape: Shape };
  /** Zeros around one axis. */
  pad: { readonly axis: number; readonly before: number; readonly after: number };

  /** x [B,C,Y,X], w [O,C,h,w], optionally a bias [O] -> [B,O,Y',X']. */
  conv2d: Window;
  /** Adjoint of conv2d in x: w [O,C,h,w], dy [B,O,Y',X'] -> [B,C,rows,columns]. */
  conv2dInputGrad: Window & { readonly rows: number; readonly columns: number };
  /** Adjoint of conv2d in w: x [B,C,Y,X], dy [B,O,Y',X'] -> [O,C,height,width]. */
  conv2dWeightGrad: Window & { readonly height: number; readonly width: number };
  /** Nearest neighbor: [B,C,Y,X] -> [B,C,Y factor,X factor]. */
  upsample: { readonly factor: number };
}

export type OpName = keyof OpAttrs;

type Leaf = "input" | "param" | "constant";
type Binary =
  | ("add" | "sub" | "mul" | "div" | "maximum" | "minimum" | "equal" | "less" | "geluGrad")
  | ("gather" | "scatterAdd" | "pick" | "conv2dInputGrad" | "conv2dWeightGrad");
type Ternary = "where" | "layerNorm" | "groupNorm";
type WithAddend = "matmul" | "linear" | "conv2d";

/** How many inputs each operation has. Leaves have none; they are typed as a list, as for any operation. */
export type OpInputs<K extends OpName, T> = (Record<Leaf, readonly T[]> &
  Record<Binary, readonly [T, T]> &
  Record<Ternary, readonly [T, T, T]> &
  Record<WithAddend, readonly [T, T, ...T[]]> &
  Record<"concat", readonly [T, ...T[]]> &
  Record<Exclude<OpName, Leaf | Binary | Ternary | WithAddend | "concat">, readonly [T]>)[K];

/** How many outputs each operation has: at least one. */
export type OpOutputs<K extends OpName, T> = (Record<"erfGate", readonly [T, T]> &
  Record<"layerNorm" | "groupNorm", readonly [T, T, T]> &
  Record<Exclude<OpName, "erfGate" | "layerNorm" | "groupNorm">, readonly [T]>)[K];

/** Thrown by a shape rule; `apply` adds to the message where it happened. */
export class Mismatch extends Error {}

export function printType({ dtype, shape }: TensorType): string {
  return `${dtype} ${printShape(shape)}`;
}

function expected(what: string, got: string): never {
  throw new Mismatch(`expected ${what}, got ${got}`);
}

type Rule<Attrs> = (inputs: readonly TensorType[], attrs: Attrs) => readonly TensorType[];

function at(inputs: readonly TensorType[], i: number): TensorType {
  return inputs[i] ?? expected(`input ${i}`, `${inputs.length} inputs`);
}

function floats(...types: TensorType[]): void {
  for (const t of types) if (t.dtype !== "f32") expected("f32", printType(t));
}

const unary: Rule<None> = (inputs) => {
  const x = at(inputs, 0);
  floats(x);
  return [x];
};

const binary: Rule<None> = (inputs) => {
  const [a, b] = [at(inputs, 0), at(inputs, 1)];
  if (a.dtype !== b.dtype || a.dtype === "bool") expected("two f32 or two i32", `${printType(a)} and ${printType(b)}`);
  const shape = broadcast(a.shape, b.shape);
  if (!shape) return expected("shapes that broadcast", `${printType(a)} and ${printType(b)}`);
  return [{ dtype: a.dtype, shape }];
};

const compare: Rule<None> = (inputs, attrs) => [{ dtype: "bool", shape: item(binary(inputs, attrs), 0).shape }];

function reduce(inputs: readonly TensorType[], { axes, keepDims }: Reduce): readonly TensorType[] {
  const x = at(inputs, 0);
  floats(x);
  for (const axis of axes)
    if (axis < 0 || axis >= x.shape.length) expected(`axes within ${printType(x)}`, `axis ${axis}`);
  const shape = keepDims
    ? x.shape.map((dim, i) => (axes.includes(i) ? 1 : dim))
    : x.shape.filter((_, i) => !axes.includes(i));
  return [{ dtype: "f32", shape }];
}

const lastAxisIndex: Rule<None> = (inputs) => {
  const x = at(inputs, 0);
  floats(x);
  if (x.shape.length === 0) expected("at least one axis", printType(x));
  return [{ dtype: "i32", shape: x.shape.slice(0, -1) }];
};

function windows(size: Dim | undefined, kernel: number, { stride, padding }: Window): number {
  if (typeof size !== "number") return expected("rows and columns without symbols", String(size));
  const count = Math.floor((size + 2 * padding - kernel) / stride) + 1;
  return count > 0 ? count : expected(`at least ${kernel - 2 * padding} rows and columns`, String(size));
}

function rank(t: TensorType, n: number): void {
  if (t.shape.length !== n) expected(`rank ${n}`, printType(t));
}

/** The last two dims, optionally swapped. */
function lastTwo({ shape }: TensorType, swapped = false): readonly [Dim, Dim] {
  const [rows, columns] = [item(shape, shape.length - 2), item(shape, shape.length - 1)];
  return swapped ? [columns, rows] : [rows, columns];
}

/** Sizes of the weights of a convolution: [O,C,h,w]. */
function kernel(w: TensorType): readonly [number, number, number, number] {
  rank(w, 4);
  return w.shape as readonly [number, number, number, number];
}

export const shapeRules: { readonly [K in OpName]: Rule<OpAttrs[K]> } = {
  input: (_, { dtype, shape }) => [{ dtype, shape }],
  param: (_, { shape }) => [{ dtype: "f32", shape }],
  constant: (_, { data, shape }) => {
    if (sizeOf(shape) !== data.length) expected(`${sizeOf(shape)} values`, String(data.length));
    return [{ dtype: data instanceof Int32Array ? "i32" : "f32", shape }];
  },
  stopGradient: unary,
  neg: unary,
  exp: unary,
  log: unary,
  sqrt: unary,
  abs: unary,
  sin: unary,
  cos: unary,
  tanh: unary,
  erf: unary,
  sigmoid: unary,
  relu: unary,
  gelu: unary,
  geluGrad: (inputs) => {
    const [x, dy] = [at(inputs, 0), at(inputs, 1)];
    floats(x, dy);
    if (!sameShape(x.shape, dy.shape)) expected(`equal shapes`, `${printType(x)} and ${printType(dy)}`);
    return [x];
  },
  erfGate: (inputs) => [...unary(inputs, {}), ...unary(inputs, {})],
  silu: unary,
  add: binary,
  sub: binary,
  mul: binary,
  div: binary,
  maximum: binary,
  minimum: binary,
  equal: compare,
  less: compare,
  where: (inputs) => {
    const [condition, a, b] = [at(inputs, 0), at(inputs, 1), at(inputs, 2)];
    if (condition.dtype !== "bool") expected("a bool condition", printType(condition));
    const both = item(binary([a, b], {}), 0);
    const shape = broadcast(condition.shape, both.shape);
    if (!shape) return expected("shapes that broadcast", `${printType(condition)} and ${printType(both)}`);
    return [{ dtype: a.dtype, shape }];
  },
  cast: (inputs, { to }) => [{ dtype: to, shape: at(inputs, 0).shape }],
  sum: reduce,
  mean: reduce,
  max: reduce,
  argmax: lastAxisIndex,
  argmin: lastAxisIndex,
  matmul: (inputs, { transA, transB }) => {
    const [a, b] = [at(inputs, 0), at(inputs, 1)];
    floats(a, b);
    if (a.shape.length < 2 || b.shape.length < 2) expected("two matrices", `${printType(a)} and ${printType(b)}`);
    const [rows, innerA] = lastTwo(a, transA);
    const [innerB, columns] = lastTwo(b, transB);
    if (innerA !== innerB) expected(`inner dim ${innerA}`, `${innerB} (a = ${printType(a)}, b = ${printType(b)})`);
    const lead = broadcast(a.shape.slice(0, -2), b.shape.slice(0, -2));
    if (!lead) return expected("leading axes that broadcast", `${printType(a)} and ${printType(b)}`);
    const shape = [...lead, rows, columns];
    const c = inputs[2];
    if (c && (shape.length !== 2 || c.dtype !== "f32" || !sameShape(c.shape, shape)))
      expected(`matrices and an addend of their product's shape ${printShape(shape)}`, printType(c));
    return [{ dtype: "f32", shape }];
  },
  linear: (inputs) => {
    const [x, w, b] = [at(inputs, 0), at(inputs, 1), inputs[2]];
    floats(x, w);
    rank(w, 2);
    const [out, inner] = lastTwo(w);
    if (x.shape.length < 1 || x.shape.at(-1) !== inner)
      expected(`inner dim ${inner}`, `${x.shape.at(-1)} (x = ${printType(x)})`);
    const shape = [...x.shape.slice(0, -1), out];
    if (b && !sameShape(b.shape, [out]) && !sameShape(b.shape, shape)) expected(`bias f32 [${out}]`, printType(b));
    return [{ dtype: "f32", shape }];
  },
  softmax: unary,
  logSoftmax: unary,
  layerNorm: (inputs) => {
    const [x, scale, bias] = [at(inputs, 0), at(inputs, 1), at(inputs, 2)];
    floats(x, scale, bias);
    const width = x.shape.at(-1);
    for (const t of [scale, bias])
      if (t.shape.length !== 1 || t.shape[0] !== width)
        expected(`f32 [${width}]`, `${printType(t)} (x = ${printType(x)})`);
    const stats: TensorType = { dtype: "f32", shape: [...x.shape.slice(0, -1), 1] };
    return [x, stats, stats];
  },
  groupNorm: (inputs, { groups }) => {
    const [x, scale, bias] = [at(inputs, 0), at(inputs, 1), at(inputs, 2)];
    floats(x, scale, bias);
    rank(x, 4);
    const C = item(x.shape, 1);
    for (const t of [scale, bias])
      if (!sameShape(t.shape, [C])) expected(`f32 [${C}]`, `${printType(t)} (x = ${printType(x)})`);
    if (typeof C !== "number" || C % groups !== 0) expected(`channels that ${groups} groups share`, String(C));
    return [x, x, { dtype: "f32", shape: [item(x.shape, 0), groups, 1] }];
  },
  gather: (inputs) => {
    const [table, ids] = [at(inputs, 0), at(inputs, 1)];
    if (ids.dtype !== "i32") expected("i32 ids", printType(ids));
    return [{ dtype: table.dtype, shape: [...ids.shape, ...table.shape.slice(1)] }];
  },
  scatterAdd: (inputs, { count }) => {
    const [ids, rows] = [at(inputs, 0), at(inputs, 1)];
    if (ids.dtype !== "i32") expected("i32 ids", printType(ids));
    floats(rows);
    const lead = rows.shape.slice(0, ids.shape.length);
    if (!sameShape(lead, ids.shape)) expected(`rows for ${printType(ids)}`, printType(rows));
    return [{ dtype: "f32", shape: [count, ...rows.shape.slice(ids.shape.length)] }];
  },
  pick: (inputs) => {
    const [x, ids] = [at(inputs, 0), at(inputs, 1)];
    floats(x);
    if (ids.dtype !== "i32" || !sameShape(ids.shape, x.shape.slice(0, -1)))
      expected(`ids i32 ${printShape(x.shape.slice(0, -1))}`, printType(ids));
    return [{ dtype: "f32", shape: ids.shape }];
  },
  reshape: (inputs, { shape }) => {
    const x = at(inputs, 0);
    if (sizeOf(shape) !== sizeOf(x.shape))
      expected(`${sizeOf(x.shape)} elements of ${printType(x)}`, printShape(shape));
    return [{ dtype: x.dtype, shape }];
  },
  transpose: (inputs, { perm }) => {
    const x = at(inputs, 0);
    const sorted = [...perm].sort((a, b) => a - b);
    if (perm.length !== x.shape.length || sorted.some((p, i) => p !== i))
      expected(`a permutation of ${x.shape.length} axes`, `[${perm}] (x = ${printType(x)})`);
    return [{ dtype: x.dtype, shape: perm.map((p) => item(x.shape, p)) }];
  },
  slice: (inputs, { axis, start, end }) => {
    const x = at(inputs, 0);
    const dim = x.shape[axis];
    if (dim === undefined) return expected(`an axis of ${printType(x)}`, String(axis));
    const whole = end === dim;
    if (!whole && (typeof end !== "number" || (typeof dim === "number" && end > dim)))
      expected(`an end within ${dim}`, `${end} (x = ${printType(x)})`);
    if (start < 0 || (typeof end === "number" && start >= end)) expected(`a start in 0..${end}`, String(start));
    return [{ dtype: x.dtype, shape: x.shape.with(axis, addDims(end, -start)) }];
  },
  concat: (inputs, { axis }) => {
    const first = at(inputs, 0);
    let total: Dim = 0;
    for (const t of inputs) {
      if (t.dtype !== first.dtype || !sameShape(t.shape.with(axis, 0), first.shape.with(axis, 0)))
        expected(`shapes equal to ${printType(first)} but for axis ${axis}`, printType(t));
      total = addDims(total, item(t.shape, axis));
    }
    return [{ dtype: first.dtype, shape: first.shape.with(axis, total) }];
  },
  expand: (inputs, { shape }) => {
    const x = at(inputs, 0);
    const out = broadcast(x.shape, shape);
    if (!out || !sameShape(out, shape)) expected(`a shape that broadcasts to ${printShape(shape)}`, printType(x));
    return [{ dtype: x.dtype, shape }];
  },
  pad: (inputs, { axis, before, after }) => {
    const x = at(inputs, 0);
    const dim = x.shape[axis];
    if (dim === undefined) return expected(`an axis of ${printType(x)}`, String(axis));
    return [{ dtype: x.dtype, shape: x.shape.with(axis, addDims(dim, before + after)) }];
  },
  conv2d: (inputs, window) => {
    const [x, w] = [at(inputs, 0), at(inputs, 1)];
    floats(x, w);
    rank(x, 4);
    const [o, c, h, width] = kernel(w);
    if (x.shape[1] !== c) expected(`${c} channels`, printType(x));
    const [rows, columns] = [windows(x.shape[2], h, window), windows(x.shape[3], width, window)];
    const b = inputs[2];
    if (b && !sameShape(b.shape, [o])) expected(`bias f32 [${o}]`, printType(b));
    return [{ dtype: "f32", shape: [item(x.shape, 0), o, rows, columns] }];
  },
  conv2dInputGrad: (inputs, { rows, columns, ...window }) => {
    const [w, dy] = [at(inputs, 0), at(inputs, 1)];
    floats(w, dy);
    const [o, c, h, width] = kernel(w);
    const out: Shape = [item(dy.shape, 0), o, windows(rows, h, window), windows(columns, width, window)];
    if (!sameShape(out, dy.shape)) expected(`dy ${printShape(out)}`, printType(dy));
    return [{ dtype: "f32", shape: [item(dy.shape, 0), c, rows, columns] }];
  },
  conv2dWeightGrad: (inputs, { height, width, ...window }) => {
    const [x, dy] = [at(inputs, 0), at(inputs, 1)];
    floats(x, dy);
    const out = [
      item(x.shape, 0),
      item(dy.shape, 1),
      windows(x.shape[2], height, window),
      windows(x.shape[3], width, window),
    ];
    if (!sameShape(out, dy.shape)) expected(`dy ${printShape(out)}`, printType(dy));
    return [{ dtype: "f32", shape: [item(dy.shape, 1), item(x.shape, 1), height, width] }];
  },
  upsample: (inputs, { factor }) => {
    const x = at(inputs, 0);
    rank(x, 4);
    const [rows, columns] = [x.shape[2], x.shape[3]] as [number, number];
    return [{ dtype: x.dtype, shape: [item(x.shape, 0), item(x.shape, 1), rows * factor, columns * factor] }];
  },
};

/** Axes given by a caller, counted from the front. Undefined means all of them. */
export function normalAxes(axes: number | readonly number[] | undefined, rankOfX: number): number[] {
  if (axes === undefined) return Array.from({ length: rankOfX }, (_, i) => i);
  return (typeof axes === "number" ? [axes] : [...axes]).map((axis) => normalAxis(axis, rankOfX));
}
