/**
 * What `simplify` replaces, one rule per operation. Each returns a tensor that computes the same with fewer passes over
 * memory, or undefined where it does not apply; `simplify.test.ts` checks each against the float64 reference.
 */
import { item } from "../../base/item.ts";
import { addDims, broadcast, type Shape, sameShape } from "../dims.ts";
import type { OpAttrs, OpInputs, OpName } from "../ops.ts";
import { apply, concat, constant, madeBy, type Tensor } from "../tensor.ts";

/** What a rule may ask of the graph around a node. */
export interface Surroundings {
  /** True if this tensor has exactly one reader, so that it need not exist when that one is replaced. */
  readOnce(t: Tensor): boolean;
  /** The result of an operation on these inputs, if the graph has it already. */
  find<K extends OpName>(op: K, inputs: readonly Tensor[], attrs: OpAttrs[K]): Tensor | undefined;
}

export interface Site<K extends OpName> {
  readonly inputs: OpInputs<K, Tensor>;
  readonly attrs: OpAttrs[K];
  /** The tensor to be replaced, for its type. */
  readonly output: Tensor;
}

export type Rewrite<K extends OpName> = (site: Site<K>, graph: Surroundings) => Tensor | undefined;

export type Rewrites = { readonly [K in OpName]?: Rewrite<K> };

/** The number that a tensor of floats holds everywhere, if the graph says so. */
function numberOf(t: Tensor): number | undefined {
  const literal = madeBy(t, "constant");
  if (literal) return t.dtype === "f32" && literal.attrs.data.length === 1 ? literal.attrs.data[0] : undefined;
  const moved = madeBy(t, "reshape") ?? madeBy(t, "expand");
  return moved && numberOf(moved.inputs[0]);
}

/** `t` as x times a number; undefined if it is not such a product. */
function scaled(t: Tensor): { x: Tensor; by: number } | undefined {
  const negated = madeBy(t, "neg");
  if (negated) return { x: negated.inputs[0], by: -1 };
  const product = madeBy(t, "mul") ?? madeBy(t, "div");
  const by = product && numberOf(product.inputs[1]);
  if (!product || by === undefined || !sameShape(product.inputs[0].shape, t.shape)) return undefined;
  return { x: product.inputs[0], by: product.op === "div" ? 1 / by : by };
}

function times(x: Tensor, by: number): Tensor {
  if (by === 1) return x;
  return by === -1 ? x.neg() : x.mul(by);
}

/** A matrix product times a number, where the product has no other reader: the number goes into its alpha. */
function absorbed(t: Tensor, by: number, graph: Surroundings): Tensor | undefined {
  const moved = madeBy(t, "reshape");
  if (moved && graph.readOnce(t)) return absorbed(moved.inputs[0], by, graph)?.reshape(t.shape);
  const product = madeBy(t, "matmul") ?? madeBy(t, "linear");
  if (!product || !graph.readOnce(t) || product.inputs.length > 2) return undefined;
  return apply(product.op, product.inputs, { ...product.attrs, alpha: product.attrs.alpha * by } as never)[0];
}

/** x times a number, if that is cheaper than a pass of its own. */
function timesCheaply(x: Tensor, by: number, graph: Surroundings): Tensor | undefined {
  const value = numberOf(x);
  if (value !== undefined && x.rank === 0) return constant(value * by);
  if (by === 1) return x;
  const inner = scaled(x);
  if (inner) return times(inner.x, inner.by * by);
  return absorbed(x, by, graph);
}

/**
 * `sum` + sign * `t`, where `t` is a product of matrices that nothing else reads: ONNX Runtime adds while it multiplies.
 */
function addedTo(sum: Tensor, t: Tensor, sign: 1 | -1, graph: Surroundings): Tensor | undefined {
  if (!sameShape(sum.shape, t.shape) || !graph.readOnce(t)) return undefined;
  const moved = madeBy(t, "reshape");
  if (moved) return addedTo(sum.reshape(moved.inputs[0].shape), moved.inputs[0], sign, graph)?.reshape(t.shape);
  const layer = madeBy(t, "linear");
  if (layer && sign === 1 && layer.inputs.length === 2) return apply("linear", [...layer.inputs, sum], layer.attrs)[0];
  const product = madeBy(t, "matmul");
  if (product?.inputs.length !== 2 || t.rank !== 2) return undefined;
  const { alpha } = product.attrs;
  return apply("matmul", [...product.inputs, sum], { ...product.attrs, alpha: sign * alpha })[0];
}

/** A convolution that nothing else reads, plus one number per channel: its bias. */
function withBias(t: Tensor, b: Tensor, graph: Surroundings): Tensor | undefined {
  const conv = madeBy(t, "conv2d");
  const column = madeBy(b, "reshape");
  if (conv?.inputs.length !== 2 || !graph.readOnce(t) || !column) return undefined;
  const O = conv.inputs[1].dim(0);
  if (!sameShape(column.inputs[0].shape, [O]) || !sameShape(b.shape, [O, 1, 1])) return undefined;
  return apply("conv2d", [...conv.inputs, column.inputs[0]], conv.attrs)[0];
}

/** The sum of two adjacent slices, each padded with zeros, as their concatenation: gradients of slices of one tensor. */
function sideBySide(a: Tensor, b: Tensor, graph: Surroundings): Tensor | undefined {
  const [p, q] = [madeBy(a, "pad"), madeBy(b, "pad")];
  if (!p || !q || p.attrs.axis !== q.attrs.axis || !graph.readOnce(a) || !graph.readOnce(b)) return undefined;
  const { axis } = p.attrs;
  const [first, second] = p.attrs.before < q.attrs.before ? [p, q] : [q, p];
  const [x, y] = [first.inputs[0], second.inputs[0]];
  if (addDims(x.dim(axis), first.attrs.before) !== second.attrs.before) return undefined;
  const whole = concat([x, y], axis);
  const { before } = first.attrs;
  const { after } = second.attrs;
  return before + after === 0 ? whole : whole.pad(axis, before, after);
}

/** An operand without an expansion that broadcasting makes by itself. */
function unexpanded(t: Tensor, others: readonly Shape[], result: Shape): Tensor {
  const copied = madeBy(t, "expand");
  if (!copied) return t;
  const small = copied.inputs[0];
  const shape = others.reduce<Shape | undefined>((all, other) => all && broadcast(all, other), small.shape);
  return shape && sameShape(shape, result) ? small : t;
}

/** The operation on operands without needless expansions, or undefined if there are none. */
function fewerCopies<K extends "add" | "sub" | "mul" | "div" | "where">(op: K) {
  return ({ inputs, attrs, output }: Site<K>): Tensor | undefined => {
    const operands = [...inputs];
    for (const [i, t] of operands.entries()) {
      const others = operands.filter((_, j) => j !== i).map(({ shape }) => shape);
      operands[i] = unexpanded(t, others, output.shape);
    }
    return operands.every((t, i) => t === inputs[i]) ? undefined : apply(op, operands, attrs)[0];
  };
}

export const rewrites: Rewrites = {
  reshape: ({ inputs: [x], attrs: { shape } }) => {
    if (sameShape(x.shape, shape)) return x;
    const number = scaled(x); // passed on, to where a matrix product absorbs it
    if (number) return times(number.x.reshape(shape), number.by);
    const inner = madeBy(x, "reshape");
    return inner?.inputs[0].reshape(shape);
  },
  transpose: ({ inputs: [x], attrs: { perm } }) => {
    if (perm.every((p, i) => p === i)) return x;
    const inner = madeBy(x, "transpose");
    return inner?.inputs[0].transpose(perm.map((p) => item(inner.attrs.perm, p)));
  },
  expand: ({ inputs: [x], attrs: { shape } }) => (sameShape(x.shape, shape) ? x : undefined),
  pad: ({ inputs: [x], attrs: { before, after } }) => (before === 0 && after === 0 ? x : undefined),
  concat: ({ inputs, attrs: { axis } }, graph) => {
    const parts = inputs.flatMap((t) => {
      const inner = madeBy(t, "concat");
      return inner && inner.attrs.axis === axis && graph.readOnce(t) ? inner.inputs : [t];
    });
    return parts.length > inputs.length ? concat(parts, axis) : undefined;
  },

  neg: ({ inputs: [x] }, graph) => {
    const difference = madeBy(x, "sub");
    if (difference && graph.readOnce(x)) return difference.inputs[1].sub(difference.inputs[0]);
    return timesCheaply(x, -1, graph);
  },
  mul: (site, graph) => {
    const [a, b] = site.inputs;
    for (const [x, y] of [
      [a, b],
      [b, a],
    ] as const) {
      const by = numberOf(y);
      if (by === undefined || !sameShape(x.shape, site.output.shape)) continue;
      const better = timesCheaply(x, by, graph);
      if (better) return better;
      if (y === a || y.rank > 0) return x.mul(by); // the number second, and as a scalar
    }
    return fewerCopies("mul")(site);
  },
  div: (site, graph) => {
    const [a, b] = site.inputs;
    const by = numberOf(b);
    const better = by !== undefined && sameShape(a.shape, site.output.shape) && timesCheaply(a, 1 / by, graph);
    return better || fewerCopies("div")(site);
  },
  add: (site, graph) => {
    const [a, b] = site.inputs;
    for (const [x, y] of [
      [a, b],
      [b, a],
    ] as const) {
      if (numberOf(y) === 0 && sameShape(x.shape, site.output.shape)) return x;
      const negated = madeBy(y, "neg");
      if (negated && graph.readOnce(y)) return x.sub(negated.inputs[0]);
      const conv = withBias(x, y, graph);
      if (conv) return conv;
    }
    const parts = sideBySide(a, b, graph);
    return parts ?? addedTo(a, b, 1, graph) ?? addedTo(b, a, 1, graph) ?? fewerCopies("add")(site);
  },
  sub: (site, graph) => {
    const [a, b] = site.inputs;
    const negated = madeBy(b, "neg");
    if (negated && graph.readOnce(b)) return a.add(negated.inputs[0]);
    return addedTo(a, b, -1, graph) ?? fewerCopies("sub")(site);
  },
  where: (site) => {
    const [condition, a, b] = site.inputs;
    const positive = madeBy(condition, "less");
    const x = positive && numberOf(positive.inputs[0]) === 0 ? positive.inputs[1] : undefined;
    // The derivative of max(x, 0)² has max(x, 0) as a factor, which is 0 where the condition does not hold.
    if (x && numberOf(b) === 0 && hasReluOf(a, x) && sameShape(a.shape, site.output.shape)) return a;
    return fewerCopies("where")(site);
  },

  matmul: ({ inputs, attrs }) => {
    const [a, b, ...rest] = inputs;
    const [left, right] = [asStored(a, attrs.transA), asStored(b, attrs.transB)];
    if (left.t === a && right.t === b) return undefined;
    const alpha = attrs.alpha * left.by * right.by;
    return apply("matmul", [left.t, right.t, ...rest], { transA: left.swapped, transB: right.swapped, alpha })[0];
  },
  linear: ({ inputs: [x, ...rest], attrs: { alpha } }) => {
    const number = scaled(x);
    return number && apply("linear", [number.x, ...rest], { alpha: alpha * number.by })[0];
  },

  sum: ({ inputs: [x], attrs: { axes, keepDims } }, graph) => {
    const number = scaled(x);
    if (number && axes.length > 0) return times(number.x.sum(axes, keepDims), number.by);
    // Row sums of dP * P where dP = dO vᵀ and O = P v, in the derivative of attention: those of dO * O, which are narrower.
    const product = madeBy(x, "mul");
    if (!product || axes.length !== 1 || axes[0] !== x.rank - 1 || !keepDims) return undefined;
    for (const [dp, p] of [product.inputs, product.inputs.toReversed()] as [Tensor, Tensor][]) {
      const back = madeBy(dp, "matmul");
      if (!back || back.attrs.transA || !back.attrs.transB || back.inputs.length > 2) continue;
      const [grad, v] = back.inputs;
      const o = graph.find("matmul", [p, v], { transA: false, transB: false, alpha: 1 });
      if (!o || !sameShape(o.shape, grad.shape) || !(o.size(-1) < x.size(-1))) continue;
      return times(grad.mul(o).sum(axes, keepDims), back.attrs.alpha);
    }
    return undefined;
  },
};

/** A factor of a matrix product, without a number it is multiplied by and a swap of its last two axes. */
function asStored(t: Tensor, swapped: boolean): { t: Tensor; by: number; swapped: boolean } {
  const { x, by } = scaled(t) ?? { x: t, by: 1 };
  const inner = madeBy(x, "transpose");
  return inner && swapsLast(inner.attrs.perm) ? { t: inner.inputs[0], by, swapped: !swapped } : { t: x, by, swapped };
}

/** Whether a product holds max(x, 0) as a factor. */
function hasReluOf(t: Tensor, x: Tensor): boolean {
  if (t.node.op === "relu") return t.node.inputs[0] === x;
  const product = madeBy(t, "mul");
  return product?.inputs.some((factor) => hasReluOf(factor, x)) ?? false;
}

function swapsLast(perm: readonly number[]): boolean {
  const n = perm.length;
  return perm.every((p, i) => p === (i === n - 1 ? n - 2 : i === n - 2 ? n - 1 : i));
}
