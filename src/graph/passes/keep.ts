/**
 * Rewrites a loss so that its derivative can reuse what the forward pass computes. This comes before `gradients`, which
 * reads the nodes of the loss; `simplify` comes after it.
 */
import { apply, madeBy, type Tensor } from "../tensor.ts";
import type { Rewrites } from "./rewrites.ts";
import { rebuild } from "./simplify.ts";

/** The same outputs; the numbers differ by rounding. */
export function keepForDerivative(outputs: readonly Tensor[]): Tensor[] {
  return rebuild(outputs, rules).outputs;
}

const rules: Rewrites = {
  // linear, GELU, linear: the first product is scaled by 1/√2 and the second scales back, which costs nothing, and the
  // derivative reuses 1 + erf(x/√2). Together 9 passes over the wide activations where GELU and its derivative take 10
  // and compute erf twice.
  linear: ({ inputs: [x, w, b], attrs: { alpha } }, graph) => {
    const gelu = madeBy(x, "gelu");
    const first = gelu && madeBy(gelu.inputs[0], "linear");
    if (!first || !graph.readOnce(x) || !graph.readOnce(gelu.inputs[0])) return undefined;
    const [h, v, c] = first.inputs;
    const scaled = { alpha: first.attrs.alpha * Math.SQRT1_2 };
    const u = apply("linear", c ? [h, v, c.mul(Math.SQRT1_2)] : [h, v], scaled)[0];
    const gate = apply("erfGate", [u], {})[0];
    return apply("linear", b ? [gate, w, b] : [gate, w], { alpha: alpha * Math.SQRT1_2 })[0];
  },
};
