/**
 * Weights that are stored as whole numbers with scales. Linear layers multiply with them as they are (CPU: 8-bit
 * products of ONNX Runtime); nothing else may read them, so their floats never exist.
 */
import { SeedlingError } from "../errors.ts";
import type { Node, Tensor } from "../graph/tensor.ts";
import type { EmitOptions, Emitter } from "./emit.ts";
import type { TensorBytes } from "./proto.ts";

/** One scale a row of the matrix: w[n,k] = scale[n] q[n,k], q in -127..127. */
export interface RowQuantized {
  readonly dtype: "i8";
  /** i8 [N,K]. */
  readonly data: TensorBytes;
  /** f32 [N]. */
  readonly scale: TensorBytes;
}

/** One scale a block of a row: w[n,k] = scale[n,k/block] (q[n,k] - 2^(bits-1)). Two 4-bit numbers a byte, low one first. */
export interface BlockQuantized {
  readonly dtype: "blocks";
  readonly bits: 4 | 8;
  /** Numbers of a block: a power of two from 16. The last one of a row is filled up. */
  readonly block: number;
  /** u8 [N,blocks,block bits/8]. */
  readonly data: TensorBytes;
  /** f32 [N,blocks]. */
  readonly scale: TensorBytes;
}

export type QuantizedWeight = RowQuantized | BlockQuantized;

/** Rows begin..end of a quantized parameter. */
interface Rows {
  readonly path: string;
  readonly weight: QuantizedWeight;
  readonly begin: number;
  readonly end: number;
}

/** What a tensor is, if it is (some rows of) a quantized parameter. */
function rowsOf(t: Tensor, weightOf: EmitOptions["weight"]): Rows | undefined {
  if (t.node.op === "param") {
    const { path, shape } = (t.node as Node<"param">).attrs;
    const weight = weightOf(path);
    if (!weight || !("scale" in weight)) return undefined;
    return { path, weight, begin: 0, end: shape[0]! };
  }
  if (t.node.op !== "slice") return undefined;
  const { axis, start, end } = (t.node as Node<"slice">).attrs;
  const whole = rowsOf(t.node.inputs[0]!, weightOf);
  if (!whole) return undefined;
  if (axis !== 0)
    throw new SeedlingError(`${whole.path}: expected rows of a quantized weight, got a part of axis ${axis}.`);
  return { ...whole, begin: whole.begin + start, end: whole.begin + Number(end) };
}

/** The nodes whose values are needed when linear layers read quantized weights in place. */
export function neededNodes(
  nodes: readonly Node[],
  outputs: readonly Tensor[],
  weightOf: EmitOptions["weight"],
): Node[] {
  const needed = new Set<Node>(outputs.map(({ node }) => node));
  for (const node of nodes.toReversed()) {
    if (!needed.has(node)) continue;
    for (const [i, t] of node.inputs.entries())
      if (!(node.op === "linear" && i === 1 && rowsOf(t, weightOf))) needed.add(t.node);
  }
  return nodes.filter((node) => needed.has(node));
}

/**
 * x wᵀ + b with a quantized w, or undefined if w is not quantized. x: name of f32 [M,K], bias: name of f32 [N].
 * Returns the name of f32 [M,N].
 */
export function quantizedLinear(e: Emitter, x: string, w: Tensor, bias: string | undefined): string | undefined {
  const rows = rowsOf(w, e.options.weight);
  if (!rows) return undefined;
  const K = w.size(1);
  return rows.weight.dtype === "i8"
    ? byRows(e, x, K, rows, rows.weight, bias)
    : byBlocks(e, x, K, rows, rows.weight, bias);
}

/** Activations become 8-bit when they arrive, with one scale for all of x. */
function byRows(e: Emitter, x: string, K: number, rows: Rows, w: RowQuantized, bias: string | undefined): string {
  const N = rows.end - rows.begin;
  const name = `${rows.path}[${rows.begin}:${rows.end}]`;
  const weight = e.stored(name, "i8", [N, K], part(w.data, rows, K));
  const scale = e.stored(`${name}.scale`, "f32", [N], part(w.scale, rows, 4));
  const columns = e.once(`${name} transposed`, () => e.add("Transpose", [weight], { perm: [1, 0] })); // folded when it is loaded
  const [u8, xScale, xZero] = e.once(`${x} as u8`, () => {
    const outputs = [e.fresh(), e.fresh(), e.fresh()];
    e.nodes.push({ op: "DynamicQuantizeLinear", inputs: [x], outputs });
    return outputs;
  }) as [string, string, string];
  const inputs = [u8, columns, xScale, scale, xZero, "", ...(bias ? [bias] : [])];
  return e.add("MatMulIntegerToFloat", inputs, {}, "com.microsoft");
}

function byBlocks(e: Emitter, x: string, K: number, rows: Rows, w: BlockQuantized, bias: string | undefined): string {
  const N = rows.end - rows.begin;
  const { bits, block } = w;
  const blocks = Math.ceil(K / block);
  const bytes = (block * bits) / 8;
  const name = `${rows.path}[${rows.begin}:${rows.end}]`;
  const weight = e.stored(name, "u8", [N, blocks, bytes], part(w.data, rows, blocks * bytes));
  const scale = e.stored(`${name}.scale`, "f32", [N, blocks], part(w.scale, rows, blocks * 4));
  const product = e.add("MatMulNBits", [x, weight, scale], { K, N, bits, block_size: block }, "com.microsoft");
  return bias ? e.add("Add", [product, bias]) : product;
}

/** The bytes of rows begin..end, `size` bytes each. */
function part(bytes: TensorBytes, { begin, end }: Rows, size: number): TensorBytes {
  if (bytes instanceof Uint8Array) return bytes.subarray(begin * size, end * size);
  return { ...bytes, offset: bytes.offset + begin * size, byteLength: (end - begin) * size };
}
