/**
 * One derivative rule per operation. Given the node and the gradient `dy` of its first output, a rule returns the
 * gradient of each input, in any shape that broadcasting can produce: the walker adds up broadcast axes once for all.
 * The table is typed over `OpName`, so the compiler names a missing rule; `test/grad` checks each against differences.
 */
import { item } from "../base/item.ts";
import { normalAxis } from "../graph/dims.ts";
import type { OpName } from "../graph/ops.ts";
import { apply, constant, type Node, scatterAdd, type Tensor } from "../graph/tensor.ts";

/** `needs[i]` tells whether input i leads to something that learns; expensive rules leave out what nobody needs. */
export type Rule<K extends OpName> = (
  node: Node<K>,
  dy: Tensor,
  needs: readonly boolean[],
) => readonly (Tensor | undefined)[];

/** Operations through which nothing flows back: leaves, indices, comparisons. */
export const noGradient = "no gradient";

const x0 = (node: Node): Tensor => item(node.inputs, 0);
const x1 = (node: Node): Tensor => item(node.inputs, 1);
const x2 = (node: Node): Tensor => item(node.inputs, 2);
const y0 = (node: Node): Tensor => node.outputs[0];

/** Gradient of a reduction brought back to the shape of its input. */
function spread(node: Node<"sum"> | Node<"mean"> | Node<"max">, t: Tensor): Tensor {
  const { axes } = node.attrs;
  const x = x0(node);
  return t.reshape(x.shape.map((dim, i) => (axes.includes(i) ? 1 : dim)));
}

function rows(t: Tensor): Tensor {
  return t.rank === 2 ? t : t.reshape([-1, t.dim(-1)]);
}

export const rules: { readonly [K in OpName]: Rule<K> | typeof noGradient } = {
  input: noGradient,
  param: noGradient,
  constant: noGradient,
  stopGradient: noGradient,
  equal: noGradient,
  less: noGradient,
  argmax: noGradient,
  argmin: noGradient,
  cast: noGradient,
  geluGrad: noGradient,

  neg: (_, dy) => [dy.neg()],
  exp: (n, dy) => [dy.mul(y0(n))],
  log: (n, dy) => [dy.div(x0(n))],
  sqrt: (n, dy) => [dy.mul(0.5).div(y0(n))],
  abs: (n, dy) => [x0(n).less(0).where(dy.neg(), dy)],
  sin: (n, dy) => [dy.mul(x0(n).cos())],
  cos: (n, dy) => [dy.mul(x0(n).sin()).neg()],
  tanh: (n, dy) => [dy.sub(dy.mul(y0(n).square()))],
  erf: (n, dy) => [dy.mul(x0(n).square().neg().exp()).mul(2 / Math.sqrt(Math.PI))],
  sigmoid: (n, dy) => [dy.mul(y0(n).sub(y0(n).square()))],
  relu: (n, dy) => [constant(0).less(x0(n)).where(dy, constant(0))],
  gelu: (n, dy) => apply("geluGrad", [x0(n), dy], {}),
  erfGate: (n, dy) => {
    // y = u t with t = 1 + erf u, y' = t + u 2/√π exp(-u²); the factor is part of the exponent.
    const [u, t] = [x0(n), n.outputs[1]];
    const bell = constant(Math.log(2 / Math.sqrt(Math.PI)))
      .sub(u.square())
      .exp();
    return [u.mul(bell).add(t).mul(dy)];
  },
  silu: (n, dy) => {
    const s = x0(n).sigmoid(); // y = x s, y' = s + y (1 - s)
    return [constant(1).sub(s).mul(y0(n)).add(s).mul(dy)];
  },

  add: (_, dy) => [dy, dy],
  sub: (_, dy, needs) => [dy, needs[1] ? dy.neg() : undefined],
  mul: (n, dy, needs) =>
    n.inputs[1] === x0(n)
      ? [dy.mul(x0(n)).mul(2)]
      : [needs[0] ? dy.mul(x1(n)) : undefined, needs[1] ? dy.mul(x0(n)) : undefined],
  div: (n, dy, needs) => {
    const da = dy.div(x1(n));
    return [da, needs[1] ? da.mul(y0(n)).neg() : undefined];
  },
  maximum: (n, dy) => pickSide(x0(n).less(x1(n)), dy).reverse(),
  minimum: (n, dy) => pickSide(x1(n).less(x0(n)), dy).reverse(),
  where: (n, dy) => [undefined, ...pickSide(x0(n), dy)],

  sum: (n, dy) => [spread(n, dy).expand(x0(n).shape)],
  mean: (n, dy) => {
    const count = n.attrs.axes.reduce((product, axis) => product * x0(n).size(axis), 1);
    return [
      spread(n, dy)
        .mul(1 / count)
        .expand(x0(n).shape),
    ];
  },
  max: (n, dy) => {
    const hit = x0(n)
      .equal(spread(n, y0(n)))
      .cast("f32"); // equal largest entries share the gradient
    return [hit.mul(spread(n, dy).div(hit.sum(n.attrs.axes, true)))];
  },

  matmul: (n, dy, needs) => {
    const [a, b] = [x0(n), x1(n)];
    const { transA, transB, alpha } = n.attrs;
    const da = (): Tensor =>
      transA ? b.matmul(dy, { transA: transB, transB: true, alpha }) : dy.matmul(b, { transB: !transB, alpha });
    const db = (): Tensor =>
      transB ? dy.matmul(a, { transA: true, transB: transA, alpha }) : a.matmul(dy, { transA: !transA, alpha });
    return [needs[0] ? da() : undefined, needs[1] ? db() : undefined, dy];
  },
  linear: (n, dy, needs) => {
    const [x, w] = [x0(n), x1(n)];
    const flat = rows(dy);
    const { alpha } = n.attrs;
    return [
      needs[0] ? flat.matmul(w, { alpha }).reshape(x.shape) : undefined,
      needs[1] ? flat.matmul(rows(x), { transA: true, alpha }) : undefined,
      needs[2] ? (x2(n).rank === 1 ? flat.sum(0) : dy) : undefined,
    ];
  },
  softmax: (n, dy) => {
    const y = y0(n);
    return [y.mul(dy.sub(dy.mul(y).sum(-1, true)))];
  },
  logSoftmax: (n, dy) => [dy.sub(y0(n).exp().mul(dy.sum(-1, true)))],
  layerNorm: (n, dy, needs) => {
    const [x, scale] = [x0(n), x1(n)];
    const [, mean, inverse] = n.outputs;
    const width = x.size(-1);
    const plain = isFilled(scale, 1) && isFilled(x2(n), 0);
    const xhat = plain ? y0(n) : x.sub(mean).mul(inverse);
    const t = dy.mul(xhat);
    const dx = (): Tensor => {
      // (g - mean(g) - xhat mean(g xhat)) inverse with g = dy scale; the row means are products with scale / width
      const weights = scale.mul(1 / width).reshape([width, 1]);
      const mean1 = dy.matmul(weights);
      const mean2 = t.matmul(weights);
      return dy.mul(scale).sub(mean1).sub(xhat.mul(mean2)).mul(inverse);
    };
    return [needs[0] ? dx() : undefined, needs[1] ? rows(t).sum(0) : undefined, needs[2] ? rows(dy).sum(0) : undefined];
  },

  groupNorm: (n, dy, needs) => {
    // dx = (dy scale - mean(dy scale) - xhat mean(dy scale xhat)) inverse over each group. Sums by image and channel
    // give the means and the gradients of scale and bias.
    const [x, scale] = [x0(n), x1(n)];
    const [, xhat, inverse] = n.outputs;
    const { groups } = n.attrs;
    const [B, C, pixels] = [x.dim(0), x.size(1), x.size(2) * x.size(3)];
    const sums = dy.sum([2, 3]); // [B,C]
    const hits = dy.mul(xhat).sum([2, 3]);
    const size = (C / groups) * pixels;
    const mean = (t: Tensor): Tensor =>
      t
        .mul(scale)
        .reshape([B, groups, C / groups])
        .sum(-1, true)
        .mul(1 / size); // [B,groups,1]
    const byChannel = (t: Tensor): Tensor => t.expand([B, groups, C / groups]).reshape([B, C, 1, 1]);
    const dx = (): Tensor => {
      const factor = byChannel(inverse).mul(scale.reshape([C, 1, 1]));
      const shared = (t: Tensor): Tensor => byChannel(mean(t).mul(inverse));
      const [shift, slope] = [shared(sums), shared(hits)];
      return dy.mul(factor).sub(xhat.mul(slope)).sub(shift);
    };
    return [needs[0] ? dx() : undefined, needs[1] ? hits.sum(0) : undefined, needs[2] ? sums.sum(0) : undefined];
  },

  gather: (n, dy) => [scatterAdd(x1(n), dy, x0(n).size(0))],
  scatterAdd: (n, dy) => [undefined, dy.gather(x0(n))],
  pick: (n, dy) => {
    const [x, ids] = [x0(n), x1(n)];
    const columns = constant(Int32Array.from({ length: x.size(-1) }, (_, i) => i));
    const column = (t: Tensor): Tensor => t.reshape([...t.shape, 1]);
    return [columns.equal(column(ids)).where(column(dy), constant(0))];
  },

  reshape: (n, dy) => [dy.reshape(x0(n).shape)],
  transpose: (n, dy) => [dy.transpose(n.attrs.perm.map((_, i) => n.attrs.perm.indexOf(i)))],
  slice: (n, dy) => {
    const { axis, start, end } = n.attrs;
    const after = end === x0(n).dim(axis) ? 0 : x0(n).size(axis) - (end as number);
    return [dy.pad(axis, start, after)];
  },
  concat: (n, dy) => {
    const axis = normalAxis(n.attrs.axis, dy.rank);
    let end = 0;
    return n.inputs.map((t) => {
      const start = end;
      end += t.size(axis);
      return dy.slice(axis, start, end);
    });
  },
  expand: (_, dy) => [dy],
  pad: (n, dy) => {
    const { axis, before } = n.attrs;
    return [dy.slice(axis, before, before + x0(n).size(axis))];
  },

  conv2d: (n, dy, needs) => {
    const [x, w] = [x0(n), x1(n)];
    const { stride, padding } = n.attrs;
    const window = { stride, padding };
    return [
      needs[0] ? apply("conv2dInputGrad", [w, dy], { ...window, rows: x.size(2), columns: x.size(3) })[0] : undefined,
      needs[1] ? apply("conv2dWeightGrad", [x, dy], { ...window, height: w.size(2), width: w.size(3) })[0] : undefined,
      needs[2] ? dy.sum([0, 2, 3]) : undefined,
    ];
  },
  // conv2d is bilinear in (x, w) and the two below are its adjoints, so the three are each other's derivatives.
  conv2dInputGrad: (n, g) => {
    const [w, dy] = [x0(n), x1(n)];
    const { stride, padding } = n.attrs;
    const size = { height: w.size(2), width: w.size(3) };
    return [apply("conv2dWeightGrad", [g, dy], { stride, padding, ...size })[0], g.conv2d(w, { stride, padding })];
  },
  conv2dWeightGrad: (n, g) => {
    const [x, dy] = [x0(n), x1(n)];
    const { stride, padding } = n.attrs;
    const size = { rows: x.size(2), columns: x.size(3) };
    return [apply("conv2dInputGrad", [g, dy], { stride, padding, ...size })[0], x.conv2d(g, { stride, padding })];
  },
  upsample: (n, dy) => {
    const { factor } = n.attrs;
    const x = x0(n);
    return [dy.reshape([x.dim(0), x.dim(1), x.dim(2), factor, x.dim(3), factor]).sum([3, 5])];
  },
};

/** Whether a tensor is this number everywhere, as `full` makes it. */
function isFilled(t: Tensor, value: number): boolean {
  if (t.node.op === "expand") return isFilled(x0(t.node), value);
  return t.node.op === "constant" && (t.node as Node<"constant">).attrs.data.every((x) => x === value);
}

/** dy where the condition holds, and dy where it does not. */
function pickSide(condition: Tensor, dy: Tensor): Tensor[] {
  return [condition.where(dy, constant(0)), condition.where(constant(0), dy)];
}
