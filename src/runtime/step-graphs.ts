/**
 * A training step as two graphs, for a device that keeps the state. The first adds the gradients of a micro-batch to
 * their sums, the second takes the optimizer's step. What a graph reads is called `kind:slot`, what replaces it
 * `next:kind:slot`.
 */
import { item } from "../base/item.ts";
import { constant, input, type Tensor } from "../graph/index.ts";
import { adamw, clipByNorm } from "../nn/index.ts";
import type { AdamW, Kind, Slot } from "./arena.ts";

/** Prefix of the outputs of the first graph that are gradients; what follows is the index of the slot. */
export const GRADIENT = "grad:";
export const NEXT = "next:";
/** Output of the second graph: the norm of the gradient before clipping, f32 []. */
export const NORM = "norm";

export function stateName(kind: Kind | "sum", slot: number): string {
  return `${kind}:${slot}`;
}

/** The kinds that the second graph replaces. */
export function kindsOf({ averageDecay }: AdamW): Kind[] {
  return averageDecay > 0 ? ["param", "m", "v", "average"] : ["param", "m", "v"];
}

/** Gradients added to the feeds `sum:slot` where the feed `keep` is 1; where it is 0 the sums start at zero. */
export function summed(gradients: readonly Tensor[]): Tensor[] {
  const kept = constant(0.5).less(input("keep", []));
  // Not a product with 0: the sums of a step that was skipped may hold NaN.
  return gradients.map((g, i) => g.add(kept.where(input(stateName("sum", i), g.shape), constant(0))));
}

/** The optimizer's step from the sums of `parts` micro-batches. Feeds: the state, and the scalars of `stepScalars`. */
export function updateOutputs(slots: readonly Slot[], optimizer: AdamW, parts: number): Record<string, Tensor> {
  const [rate, step, root, decay] = [input("rate", []), input("step", []), input("root", []), input("decay", [])];
  const read = (kind: Kind | "sum", i: number): Tensor => input(stateName(kind, i), item(slots, i).shape);
  const sums = slots.map((_, i) => read("sum", i));
  const { norm, scale } = clipByNorm(sums, optimizer.clipNorm, parts);
  const outputs: Record<string, Tensor> = { [NORM]: norm };
  for (const [i, { rateScale, weightDecay }] of slots.entries()) {
    const next = adamw(
      { param: read("param", i), m: read("m", i), v: read("v", i) },
      item(sums, i),
      { scale, rate, step, root },
      { ...optimizer, rateScale, weightDecay },
    );
    for (const kind of ["param", "m", "v"] as const) outputs[NEXT + stateName(kind, i)] = next[kind];
    if (optimizer.averageDecay > 0) {
      const average = read("average", i);
      const fresh = constant(1).sub(decay);
      outputs[NEXT + stateName("average", i)] = average.mul(decay).add(next.param.mul(fresh));
    }
  }
  return outputs;
}

/** The feeds of step `t`, from 1. */
export function stepScalars(t: number, rate: number, { beta1, beta2, averageDecay }: AdamW): Record<string, number> {
  return {
    rate,
    step: rate / (1 - beta1 ** t),
    root: 1 / Math.sqrt(1 - beta2 ** t),
    // Early averages follow quickly, as the initial weights are random.
    decay: Math.min(averageDecay, (1 + t) / (10 + t)),
  };
}
