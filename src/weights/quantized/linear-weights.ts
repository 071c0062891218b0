/** Which parameters can be quantized: those that nothing but linear layers reads. */
import { paramAttrs, sortNodes, type Tensor } from "../../graph/index.ts";

/** The layers around the codebook: small, and rounding them changes codes. */
export const KEEP = /^(encode_task_layer|decode_task_layer|vision_proj|text_proj|image_down|distill_\w+_proj)\./;

/** Paths of the parameters that are used, as a whole or in slices of rows, only as weights of linear layers. */
export function linearWeights(outputs: readonly Tensor[]): Set<string> {
  const nodes = sortNodes(outputs);
  const other = new Set<Tensor>(outputs); // tensors whose floats something reads
  for (const node of nodes.toReversed())
    for (const [i, t] of node.inputs.entries()) {
      const rows = node.op === "slice" && (node.attrs as { axis: number }).axis === 0 && !other.has(node.outputs[0]);
      if (!(node.op === "linear" && i === 1) && !rows) other.add(t);
    }
  const weights = new Set<string>();
  for (const node of nodes) {
    const t = node.outputs[0];
    if (node.op === "param" && t.rank === 2 && !other.has(t)) weights.add(paramAttrs(t).path);
  }
  return weights;
}
