/** Reverse-mode differentiation of a graph: the result is more graph. */
import { ShapeError } from "../base/errors.ts";
import { sameShape } from "../graph/dims.ts";
import { type OpName, printType } from "../graph/ops.ts";
import { constant, type Node, sortNodes, type Tensor } from "../graph/tensor.ts";
import { noGradient, type Rule, rules } from "./rules.ts";

/**
 * Gradients of a scalar with respect to tensors.
 * @param loss f32 []
 * @param targets parameters, inputs or inner tensors; one on which the loss does not depend gets undefined
 * @param seeds gradients that flow in at other tensors, added to those of the loss (for GradCache)
 */
export function gradients(
  loss: Tensor,
  targets: readonly Tensor[],
  seeds: ReadonlyMap<Tensor, Tensor> = new Map(),
): (Tensor | undefined)[] {
  if (loss.rank !== 0) throw new ShapeError(`gradients: expected a scalar loss, got ${printType(loss)}.`);
  const nodes = sortNodes([loss, ...seeds.keys()]);
  const wanted = new Set(targets);
  const leads = new Set<Node>(); // nodes with a target at or above them
  for (const node of nodes) {
    const passes = rules[node.op] !== noGradient;
    if (node.outputs.some((t) => wanted.has(t)) || (passes && node.inputs.some((t) => leads.has(t.node))))
      leads.add(node);
  }

  const total = new Map<Tensor, Tensor>();
  const flow = (t: Tensor, g: Tensor): void => {
    const sum = total.get(t);
    total.set(t, sum ? sum.add(g) : g);
  };
  flow(loss, constant(1));
  for (const [t, g] of seeds) flow(t, g);

  for (const node of nodes.reverse()) {
    const rule = rules[node.op] as Rule<OpName> | typeof noGradient;
    const dy = total.get(node.outputs[0]);
    if (rule === noGradient || !leads.has(node)) continue;
    const extra = node.outputs.findIndex((t, i) => i > 0 && total.has(t));
    if (extra > 0) throw new ShapeError(`gradients: expected a loss that uses output 0 of ${node.op}, got ${extra}.`);
    const needs = node.inputs.map((t) => leads.has(t.node));
    if (dy === undefined || !needs.includes(true)) continue;
    const dx = rule(node, dy, needs);
    for (const [i, t] of node.inputs.entries()) {
      const g = dx[i];
      if (g && needs[i]) flow(t, addUpBroadcast(g, t));
    }
  }
  return targets.map((t) => total.get(t));
}

/** Adds up the axes along which `like` was broadcast. */
function addUpBroadcast(g: Tensor, like: Tensor): Tensor {
  if (sameShape(g.shape, like.shape)) return g;
  const extra = g.rank - like.rank;
  if (extra < 0) return g.expand(like.shape);
  const axes = g.shape.map((_, i) => i).filter((i) => i < extra || (like.shape[i - extra] === 1 && g.shape[i] !== 1));
  const summed =
    axes.length > 0 ? g.sum(axes).reshape(like.shape.map((d, i) => (axes.includes(i + extra) ? 1 : d))) : g;
  return sameShape(summed.shape, like.shape) ? summed : summed.expand(like.shape);
}
