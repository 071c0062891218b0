/**
 * Attention over many tokens as one operation. `attend` is written as products, a softmax and transposes, so that it can
 * be differentiated; where nothing reads the probabilities, ONNX Runtime's MultiHeadAttention does the same block by block
 * and never holds the T x S scores (Dao et al. 2022), which for 96 x 96 tokens take 1.7 GB.
 */
import type { OpName } from "../graph/ops.ts";
import { madeBy, type Node, type Tensor } from "../graph/tensor.ts";

/** softmax(scale q kᵀ) v with the heads side by side. q: f32 [B,T,D], k, v: f32 [B,S,D]. */
export interface Attention {
  readonly q: Tensor;
  readonly k: Tensor;
  readonly v: Tensor;
  readonly heads: number;
  readonly scale: number;
}

/** Below this many scores per head the plain operations are as fast (docs/log.md). */
const MANY = 1 << 20;

/** The attentions in a graph, each by its last node, where nothing else reads the probabilities. */
export function attentions(nodes: readonly Node[], outputs: readonly Tensor[]): Map<Node, Attention> {
  const readers = new Map<Tensor, number>();
  const count = (t: Tensor): void => void readers.set(t, (readers.get(t) ?? 0) + 1);
  for (const node of nodes) node.inputs.forEach(count);
  outputs.forEach(count);
  const found = new Map<Node, Attention>();
  for (const node of nodes) {
    const attention = ending(node, (t) => readers.get(t) === 1);
    if (attention) found.set(node, attention);
  }
  return found;
}

/** Matches `attend` of src/nn/layers.ts from its last node backwards. */
function ending(node: Node, onlyHere: (t: Tensor) => boolean): Attention | undefined {
  const inner = <K extends OpName>(t: Tensor | undefined, op: K): Node<K> | undefined =>
    t && onlyHere(t) ? madeBy(t, op) : undefined;
  if (node.op !== "reshape") return undefined;
  const swapped = inner(node.inputs[0], "transpose");
  const product = swapped && isHeadSwap(swapped) ? inner(swapped.inputs[0], "matmul") : undefined;
  const probabilities = product && isPlain(product) ? inner(product.inputs[0], "softmax") : undefined;
  const scores = inner(probabilities?.inputs[0], "matmul");
  if (!product || !scores) return undefined;
  const { transA, transB, alpha } = scores.attrs;
  const [left, right] = scores.inputs;
  const [q, k, v] = [beforeSplit(left), beforeSplit(right), beforeSplit(product.inputs[1])];
  if (transA || !transB || !q || !k || !v) return undefined;
  const [heads, T, S] = [left.size(1), left.dim(2), right.dim(2)];
  if (typeof T !== "number" || typeof S !== "number" || T * S < MANY) return undefined;
  const whole = node.outputs[0];
  if (whole.rank !== 3 || whole.dim(1) !== T || whole.dim(2) !== v.dim(2)) return undefined;
  return { q, k, v, heads, scale: alpha };
}

/** [B,T,D] of a tensor that was split into heads: [B,H,T,Dh]. */
function beforeSplit(t: Tensor): Tensor | undefined {
  const swapped = madeBy(t, "transpose");
  if (!swapped || !isHeadSwap(swapped)) return undefined;
  const [split] = swapped.inputs;
  const whole = madeBy(split, "reshape")?.inputs[0];
  if (whole?.rank !== 3 || split.rank !== 4) return undefined;
  return whole.dim(0) === split.dim(0) && whole.dim(1) === split.dim(1) ? whole : undefined;
}

function isHeadSwap({ attrs }: Node<"transpose">): boolean {
  return attrs.perm.join() === "0,2,1,3";
}

function isPlain({ attrs: { transA, transB, alpha } }: Node<"matmul">): boolean {
  return !transA && !transB && alpha === 1;
}
