/**
 * Weights that are stored as integers with scales. Linear layers multiply with them as they are (CPU: 8-bit products of
 * ONNX Runtime), and rows of blocks can be looked up; nothing else may read them, so the whole matrix never exists in floats.
 */
import { SeedlingError } from "../base/errors.ts";
import { item } from "../base/item.ts";
import type { Shape } from "../graph/dims.ts";
import { madeBy, type Node, type Tensor } from "../graph/tensor.ts";
import type { EmitOptions, Emitter, FloatWeight } from "./emit.ts";
import type { Initializer, TensorBytes } from "./proto.ts";

/**
 * One scale per row of the matrix: w[n,k] = scale[n] q[k,n], q in -127..127. The integers are stored transposed, as ONNX
 * Runtime multiplies with them, so that no second copy is made when they are loaded.
 */
export interface RowQuantized {
  readonly dtype: "i8";
  /** i8 [K,N]. */
  readonly data: TensorBytes;
  /** f32 [N]. */
  readonly scale: TensorBytes;
}

/**
 * One scale per block of a row: w[n,k] = scale[n,k/block] (q[n,k] - 2^(bits-1)) + offset[n,k/block]. Two 4-bit numbers per byte,
 * low one first. Rows can be looked up, too.
 */
export interface BlockQuantized {
  readonly dtype: "blocks";
  readonly bits: 4 | 8;
  /** Numbers per block: a power of two, at least 16. The last block of a row is padded. */
  readonly block: number;
  /** u8 [N,blocks,block bits/8]. */
  readonly data: TensorBytes;
  /** f32 [N,blocks]. */
  readonly scale: TensorBytes;
  /** f32 [N,blocks]. Default: nothing is added. */
  readonly offset?: TensorBytes;
  /**
   * "i8": products round activations to 8 bits, one scale for each block of a row, as llama.cpp does; with 8-bit weights,
   * ONNX Runtime has no other products that do not unpack the matrix each time. Default "f32".
   */
  readonly activations?: "f32" | "i8";
}

export type QuantizedWeight = RowQuantized | BlockQuantized;

/** Rows begin..end of a quantized parameter. */
interface Rows {
  readonly path: string;
  readonly weight: QuantizedWeight;
  readonly begin: number;
  readonly end: number;
  /** Rows of the whole parameter. */
  readonly all: number;
}

/** What a tensor is, if it is (some rows of) a quantized parameter. */
function rowsOf(t: Tensor, weightOf: EmitOptions["weight"]): Rows | undefined {
  if (t.node.op === "param") {
    const { path, shape } = (t.node as Node<"param">).attrs;
    const weight = weightOf(path);
    if (!weight || !("scale" in weight)) return undefined;
    const rows = item(shape, 0);
    return { path, weight, begin: 0, end: rows, all: rows };
  }
  const slice = madeBy(t, "slice");
  if (!slice) return undefined;
  const { axis, start, end } = slice.attrs;
  const whole = rowsOf(slice.inputs[0], weightOf);
  if (!whole) return undefined;
  if (axis !== 0)
    throw new SeedlingError(`${whole.path}: expected rows of a quantized weight, got a part of axis ${axis}.`);
  return { ...whole, begin: whole.begin + start, end: whole.begin + Number(end) };
}

/** The same for weights in blocks whose rows are whole blocks, as looking up rows requires. */
function blockRows(t: Tensor, weightOf: EmitOptions["weight"]): { rows: Rows; weight: BlockQuantized } | undefined {
  const rows = rowsOf(t, weightOf);
  const weight = rows?.weight;
  return weight?.dtype === "blocks" && t.size(1) % weight.block === 0 ? { rows: rows!, weight } : undefined;
}

/** What a node reads of the values before it, when quantized weights and rows of weights are read where they are stored. */
export function readsInPlace(node: Node, weightOf: EmitOptions["weight"]): readonly Tensor[] {
  if (storedRows(node, weightOf)) return [];
  const inPlace = (t: Tensor, i: number): boolean =>
    (node.op === "linear" && i === 1 && rowsOf(t, weightOf) !== undefined) ||
    (node.op === "gather" && i === 0 && blockRows(t, weightOf) !== undefined);
  return node.inputs.filter((t, i) => !inPlace(t, i));
}

/** Rows of a stored parameter of floats, if that is what a node cuts out: they are contiguous, so nothing is copied. */
export function storedRows(node: Node, weightOf: EmitOptions["weight"]): (Initializer & FloatWeight) | undefined {
  const [cut] = node.outputs;
  const slice = madeBy(cut, "slice");
  const param = madeBy(slice?.inputs[0], "param");
  if (!slice || !param) return undefined;
  const { axis, start } = slice.attrs;
  const { path, shape: whole } = param.attrs;
  const weight = weightOf(path);
  if (axis !== 0 || !weight || "scale" in weight) return undefined;
  const shape = cut.shape as readonly number[];
  const [begin, end] = [start, start + item(shape, 0)];
  const size = weight.data.byteLength / item(whole, 0);
  const { dtype } = weight;
  return { name: `${path}[${begin}:${end}]`, type: dtype, dtype, shape, data: part(weight.data, { begin, end }, size) };
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

/**
 * Activations become 8-bit when they arrive, with one scale for all of x. Products with some rows of a matrix (its
 * q, k or v) are columns of one product with all of it.
 */
function byRows(e: Emitter, x: string, K: number, rows: Rows, w: RowQuantized, bias: string | undefined): string {
  const { path, begin, end, all } = rows;
  const scale = e.stored(`${path}.scale`, "f32", [all], w.scale);
  const [u8, xScale, xZero] = e.once(`${x} as u8`, () => {
    const outputs = [e.fresh(), e.fresh(), e.fresh()];
    e.nodes.push({ op: "DynamicQuantizeLinear", inputs: [x], outputs });
    return outputs;
  }) as [string, string, string];
  const product = (bias?: string): string => {
    // A weight of its own for each product: where ONNX Runtime replaces i8 by u8 (see runtime/products.ts), it fails at the
    // second reader of one. The bytes are the same.
    const weight = e.storedApart(path, "i8", [K, all], w.data);
    const inputs = [u8, weight, xScale, scale, xZero, "", ...(bias ? [bias] : [])];
    return e.add("MatMulIntegerToFloat", inputs, {}, "com.microsoft");
  };
  if (end - begin === all) return product(bias);
  const whole = e.once(`${x} times ${path}`, () => product());
  const own = e.add("Slice", [whole, e.longs([begin]), e.longs([end]), e.longs([1])]);
  return bias ? e.add("Add", [own, bias]) : own;
}

function byBlocks(e: Emitter, x: string, K: number, rows: Rows, w: BlockQuantized, bias: string | undefined): string {
  const N = rows.end - rows.begin;
  const { bits, block } = w;
  const blocks = Math.ceil(K / block);
  const bytes = (block * bits) / 8;
  const name = nameOf(rows);
  const weight = e.stored(name, "u8", [N, blocks, bytes], part(w.data, rows, blocks * bytes));
  const scale = blockFloats(e, rows, "scale", blocks, w.scale);
  const attributes = { K, N, bits, block_size: block, ...(w.activations === "i8" && { accuracy_level: 4 }) };
  let product = e.add("MatMulNBits", [x, weight, scale], attributes, "com.microsoft");
  if (w.offset) {
    const offset = blockFloats(e, rows, "offset", blocks, w.offset);
    product = e.add("Gemm", [blockSums(e, x, blocks, block), offset, product], { transB: 1 });
  }
  return bias ? e.add("Add", [product, bias]) : product;
}

/** Sums of the blocks of each row, which offsets are multiplied by. x: f32 [M,blocks block] -> f32 [M,blocks]. */
function blockSums(e: Emitter, x: string, blocks: number, block: number): string {
  return e.once(`${x} summed by ${block}`, () => {
    const split = e.add("Reshape", [x, e.longs([-1, blocks, block])]);
    return e.add("ReduceSum", [split, e.longs([2])], { keepdims: 0 });
  });
}

/** Rows of a table in blocks, unpacked as they are looked up; undefined for another table. ids: i32 [...] -> f32 [...,K]. */
export function quantizedRows(e: Emitter, table: Tensor, ids: Tensor, shape: Shape): string | undefined {
  const found = blockRows(table, e.options.weight);
  if (!found) return undefined;
  const { rows, weight } = found;
  const [N, K, { bits, block }] = [table.size(0), table.size(1), weight];
  const blocks = K / block;
  const bytes = (K * bits) / 8;
  const data = e.stored(`${nameOf(rows)}.rows`, "u8", [N, bytes], part(weight.data, rows, bytes));
  const scale = blockFloats(e, rows, "scale", blocks, weight.scale);
  const attributes = { bits, block_size: block, gather_axis: 0, quantize_axis: 1 };
  const values = e.add("GatherBlockQuantized", [data, e.name(ids), scale], attributes, "com.microsoft");
  if (!weight.offset) return values;
  const offset = blockFloats(e, rows, "offset", blocks, weight.offset);
  const added = e.add("Reshape", [e.add("Gather", [offset, e.name(ids)], { axis: 0 }), e.longs([-1, blocks, 1])]);
  const split = e.add("Reshape", [values, e.longs([-1, blocks, block])]);
  return e.add("Reshape", [e.add("Add", [split, added]), e.shapeOf(shape)]);
}

function nameOf({ path, begin, end }: Rows): string {
  return `${path}[${begin}:${end}]`;
}

/** An initializer f32 [N,blocks]. */
function blockFloats(e: Emitter, rows: Rows, what: "scale" | "offset", blocks: number, data: TensorBytes): string {
  return e.stored(`${nameOf(rows)}.${what}`, "f32", [rows.end - rows.begin, blocks], part(data, rows, blocks * 4));
}

/** The bytes of rows begin..end, `size` bytes each. */
function part(bytes: TensorBytes, { begin, end }: Pick<Rows, "begin" | "end">, size: number): TensorBytes {
  if (bytes instanceof Uint8Array) return bytes.subarray(begin * size, end * size);
  return { ...bytes, offset: bytes.offset + begin * size, byteLength: (end - begin) * size };
}
