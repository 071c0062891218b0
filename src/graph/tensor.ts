/**
 * Symbolic tensors. A model is a function of them; running it builds a graph of nodes, which autodiff extends, onnx
 * exports and runtime executes. Shape and dtype errors surface here, while the graph is built.
 */
import { ShapeError } from "../base/errors.ts";
import { entry } from "../base/item.ts";
import { type Dim, divDims, normalAxis, type Shape, sizeOf } from "./dims.ts";
import {
  type DType,
  Mismatch,
  normalAxes,
  type OpAttrs,
  type OpInputs,
  type OpName,
  type OpOutputs,
  printType,
  shapeRules,
  type TensorType,
} from "./ops.ts";

/** One application of an operation. */
export interface Node<K extends OpName = OpName> {
  readonly id: number;
  readonly op: K;
  readonly inputs: OpInputs<K, Tensor>;
  readonly attrs: OpAttrs[K];
  readonly outputs: OpOutputs<K, Tensor>;
}

let nextId = 0;

/** Adds a node. @throws ShapeError naming the nearest parameter, the operation, what it expected and what came. */
export function apply<K extends OpName>(op: K, inputs: readonly Tensor[], attrs: OpAttrs[K]): OpOutputs<K, Tensor> {
  let types: readonly TensorType[];
  try {
    types = shapeRules[op](inputs, attrs);
  } catch (error) {
    if (!(error instanceof Mismatch)) throw error;
    throw new ShapeError(`${nearestParam(inputs)}${op}: ${error.message}.`, { cause: error });
  }
  const outputs: Tensor[] = [];
  // The rule has counted the inputs, and there is an output for each type that it gives.
  const node = { id: nextId++, op, inputs, attrs, outputs } as unknown as Node<K>;
  for (const [i, type] of types.entries()) outputs.push(new Tensor(node as unknown as Node, i, type.dtype, type.shape));
  return node.outputs;
}

function only<K extends OpName>(op: K, inputs: readonly Tensor[], attrs: OpAttrs[K]): Tensor {
  return apply(op, inputs, attrs)[0];
}

/** Path of the parameter closest to these tensors, to say where in the model something is wrong. */
function nearestParam(inputs: readonly Tensor[]): string {
  let level: readonly Tensor[] = inputs;
  for (let depth = 0; depth < 12 && level.length > 0; depth++) {
    const next: Tensor[] = [];
    for (const { node } of level) {
      if (node.op === "param") {
        const path = (node as Node<"param">).attrs.path;
        return depth === 0 ? `${path} ` : `after ${path}: `;
      }
      next.push(...node.inputs);
    }
    level = next.slice(0, 256);
  }
  return "";
}

export type Operand = Tensor | number;

export class Tensor implements TensorType {
  readonly node: Node;
  /** Which output of the node. */
  readonly index: number;
  readonly dtype: DType;
  readonly shape: Shape;

  constructor(node: Node, index: number, dtype: DType, shape: Shape) {
    this.node = node;
    this.index = index;
    this.dtype = dtype;
    this.shape = shape;
  }

  get rank(): number {
    return this.shape.length;
  }

  /** Dim of an axis; negative axes count from the back. */
  dim(axis: number): Dim {
    const dim = this.shape[normalAxis(axis, this.rank)];
    if (dim === undefined) throw new ShapeError(`dim: expected an axis of ${printType(this)}, got ${axis}.`);
    return dim;
  }

  /** Dim of an axis that must be known when the graph is built. */
  size(axis: number): number {
    const dim = this.dim(axis);
    if (typeof dim !== "number")
      throw new ShapeError(`size: expected a known dim at axis ${axis}, got ${printType(this)}.`);
    return dim;
  }

  neg(): Tensor {
    return only("neg", [this], {});
  }
  exp(): Tensor {
    return only("exp", [this], {});
  }
  log(): Tensor {
    return only("log", [this], {});
  }
  sqrt(): Tensor {
    return only("sqrt", [this], {});
  }
  abs(): Tensor {
    return only("abs", [this], {});
  }
  sin(): Tensor {
    return only("sin", [this], {});
  }
  cos(): Tensor {
    return only("cos", [this], {});
  }
  tanh(): Tensor {
    return only("tanh", [this], {});
  }
  erf(): Tensor {
    return only("erf", [this], {});
  }
  sigmoid(): Tensor {
    return only("sigmoid", [this], {});
  }
  relu(): Tensor {
    return only("relu", [this], {});
  }
  /** x Φ(x), exact. */
  gelu(): Tensor {
    return only("gelu", [this], {});
  }
  silu(): Tensor {
    return only("silu", [this], {});
  }
  square(): Tensor {
    return this.mul(this);
  }

  add(other: Operand): Tensor {
    return only("add", [this, lift(other, this)], {});
  }
  sub(other: Operand): Tensor {
    return only("sub", [this, lift(other, this)], {});
  }
  mul(other: Operand): Tensor {
    return only("mul", [this, lift(other, this)], {});
  }
  div(other: Operand): Tensor {
    return only("div", [this, lift(other, this)], {});
  }
  maximum(other: Operand): Tensor {
    return only("maximum", [this, lift(other, this)], {});
  }
  minimum(other: Operand): Tensor {
    return only("minimum", [this, lift(other, this)], {});
  }
  equal(other: Operand): Tensor {
    return only("equal", [this, lift(other, this)], {});
  }
  less(other: Operand): Tensor {
    return only("less", [this, lift(other, this)], {});
  }
  /** this ? a : b, for a bool tensor. */
  where(a: Tensor, b: Tensor): Tensor {
    return only("where", [this, a, b], {});
  }
  cast(to: DType): Tensor {
    return to === this.dtype ? this : only("cast", [this], { to });
  }

  sum(axes?: number | readonly number[], keepDims = false): Tensor {
    return only("sum", [this], { axes: normalAxes(axes, this.rank), keepDims });
  }
  mean(axes?: number | readonly number[], keepDims = false): Tensor {
    return only("mean", [this], { axes: normalAxes(axes, this.rank), keepDims });
  }
  max(axes?: number | readonly number[], keepDims = false): Tensor {
    return only("max", [this], { axes: normalAxes(axes, this.rank), keepDims });
  }
  /** Over the last axis, i32. */
  argmax(): Tensor {
    return only("argmax", [this], {});
  }
  argmin(): Tensor {
    return only("argmin", [this], {});
  }

  /** alpha op(this) op(other) over the last two axes. */
  matmul(other: Tensor, options: { transA?: boolean; transB?: boolean; alpha?: number } = {}): Tensor {
    const { transA = false, transB = false, alpha = 1 } = options;
    return only("matmul", [this, other], { transA, transB, alpha });
  }
  /** this wᵀ + b over the last axis; w [out,in]. */
  linear(w: Tensor, b?: Tensor): Tensor {
    return only("linear", b ? [this, w, b] : [this, w], { alpha: 1 });
  }
  softmax(): Tensor {
    return only("softmax", [this], {});
  }
  logSoftmax(): Tensor {
    return only("logSoftmax", [this], {});
  }
  /** Normalized over the last axis. */
  layerNorm(scale: Tensor, bias: Tensor, eps: number): Tensor {
    return only("layerNorm", [this, scale, bias], { eps });
  }

  /** [B,C,Y,X], normalized over each group of channels and all pixels, then scaled by channel. */
  groupNorm(scale: Tensor, bias: Tensor, options: { groups: number; eps: number }): Tensor {
    return only("groupNorm", [this, scale, bias], options);
  }

  /** Rows of this table. ids i32 [...S] -> [...S,...rest]. */
  gather(ids: Tensor): Tensor {
    return only("gather", [this, ids], {});
  }
  /** Entry `ids` of the last axis. */
  pick(ids: Tensor): Tensor {
    return only("pick", [this, ids], {});
  }

  /** New shape with the same elements; one entry may be -1. */
  reshape(shape: Shape): Tensor {
    const unknown = shape.indexOf(-1);
    if (unknown < 0) return only("reshape", [this], { shape });
    const rest = sizeOf(shape.with(unknown, 1));
    const missing = divDims(sizeOf(this.shape), rest);
    if (missing === undefined)
      throw new ShapeError(`${nearestParam([this])}reshape: expected a multiple of ${rest}, got ${printType(this)}.`);
    return only("reshape", [this], { shape: shape.with(unknown, missing) });
  }
  transpose(perm: readonly number[]): Tensor {
    return only("transpose", [this], { perm });
  }
  slice(axis: number, start: number, end?: Dim): Tensor {
    const a = normalAxis(axis, this.rank);
    return only("slice", [this], { axis: a, start, end: end ?? this.dim(a) });
  }
  expand(shape: Shape): Tensor {
    return only("expand", [this], { shape });
  }
  pad(axis: number, before: number, after: number): Tensor {
    return only("pad", [this], { axis: normalAxis(axis, this.rank), before, after });
  }

  /** x [B,C,Y,X] with w [O,C,h,w]. */
  conv2d(w: Tensor, { stride = 1, padding = 0 } = {}): Tensor {
    return only("conv2d", [this, w], { stride, padding });
  }
  /** Nearest neighbor, [B,C,Y,X] -> [B,C,Y factor,X factor]. */
  upsample(factor: number): Tensor {
    return only("upsample", [this], { factor });
  }
}

function lift(value: Operand, like: Tensor): Tensor {
  if (value instanceof Tensor) return value;
  return constant(like.dtype === "i32" ? Int32Array.of(value) : Float32Array.of(value), []);
}

/** A value fed at run time. */
export function input(name: string, shape: Shape, dtype: DType = "f32"): Tensor {
  return only("input", [], { name, dtype, shape });
}

/** A small literal; a number is a scalar. */
export function constant(data: Float32Array | Int32Array | number, shape?: readonly number[]): Tensor {
  const values = typeof data === "number" ? Float32Array.of(data) : data;
  return only("constant", [], { data: values, shape: shape ?? (typeof data === "number" ? [] : [values.length]) });
}

/** A tensor of equal values. */
export function full(shape: readonly number[], value: number): Tensor {
  return constant(value).expand(shape);
}

/** The same value, through which no gradient flows. */
export function stopGradient(x: Tensor): Tensor {
  return only("stopGradient", [x], {});
}

export function concat(tensors: readonly Tensor[], axis: number): Tensor {
  return only("concat", tensors, { axis: normalAxis(axis, tensors[0]?.rank ?? 0) });
}

/** Rows added up by id: ids i32 [...S], rows [...S,...rest] -> [count,...rest]. */
export function scatterAdd(ids: Tensor, rows: Tensor, count: number): Tensor {
  return only("scatterAdd", [ids, rows], { count });
}

/** The node that makes `t` as its first output, if it is this operation. */
export function madeBy<K extends OpName>(t: Tensor | undefined, op: K): Node<K> | undefined {
  return t && t.node.op === op && t.index === 0 ? (t.node as unknown as Node<K>) : undefined;
}

/** All nodes that `outputs` depend on, inputs before users. */
export function sortNodes(outputs: readonly Tensor[]): Node[] {
  const order: Node[] = [];
  const seen = new Set<Node>();
  const stack: { node: Node; next: number }[] = [];
  const push = (node: Node): void => {
    if (seen.has(node)) return;
    seen.add(node);
    stack.push({ node, next: 0 });
  };
  for (const output of outputs) {
    push(output.node);
    for (let top = stack.at(-1); top; top = stack.at(-1)) {
      const child = top.node.inputs[top.next++];
      if (child) push(child.node);
      else {
        order.push(top.node);
        stack.pop();
      }
    }
  }
  return order;
}

/** One line per node, for snapshots and for reading: `%3 = matmul(%1, %2) : f32 [B,4]`. */
export function printGraph(outputs: readonly Tensor[]): string {
  const nodes = sortNodes(outputs);
  const names = new Map(nodes.map((node, i) => [node, `%${i}`]));
  const ref = (t: Tensor): string => entry(names, t.node) + (t.index > 0 ? `.${t.index}` : "");
  const lines = nodes.map((node) => {
    const attrs = Object.entries(node.attrs).filter(([key]) => key !== "data" && key !== "init");
    const args = [...node.inputs.map(ref), ...attrs.map(([key, value]) => `${key}=${JSON.stringify(value)}`)];
    return `${names.get(node)} = ${node.op}(${args.join(", ")}) : ${node.outputs.map(printType).join(", ")}`;
  });
  return [...lines, `return ${outputs.map(ref).join(", ")}`].join("\n");
}
