/** Graph -> ONNX. Walks the nodes once and lets the lowering table write each of them. */
import { SeedlingError } from "../base/errors.ts";
import { computeDim, type Dim, type Shape } from "../graph/dims.ts";
import type { DType, OpName } from "../graph/ops.ts";
import { type Node, sortNodes, type Tensor } from "../graph/tensor.ts";
import { type Attention, attentions } from "./attention.ts";
import { type Lowering, lowerings } from "./lower.ts";
import {
  type Attribute,
  type Initializer,
  type OnnxNode,
  type OnnxTypeName,
  type TensorBytes,
  type ValueInfo,
  writeModel,
} from "./proto.ts";
import { type QuantizedWeight, readsInPlace } from "./quantized.ts";

/** What the graph will run on; some fused operations exist on one provider only. */
export type Target = "cpu" | "webgpu";

export interface FloatWeight {
  readonly dtype: "f32" | "f16" | "bf16";
  readonly data: TensorBytes;
}

/** The stored bytes of a parameter; quantized ones only where nothing but linear layers (and, for blocks, `gather`) reads it. */
export type StoredWeight = FloatWeight | QuantizedWeight;

export interface EmitOptions {
  readonly target: Target;
  /** The bytes of a parameter, or undefined if it is fed as an input of the same name. */
  readonly weight: (path: string) => StoredWeight | undefined;
}

export interface Emitted {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Fed values: those of `input` nodes and the parameters without stored bytes. */
  readonly inputs: readonly (ValueInfo & { readonly dtype: DType })[];
  /** The files that stored bytes are in. */
  readonly files: readonly string[];
}

export class Emitter {
  readonly nodes: OnnxNode[] = [];
  readonly initializers: Initializer[] = [];
  readonly inputs: (ValueInfo & { dtype: DType })[] = [];
  readonly options: EmitOptions;
  readonly #names = new Map<Tensor, string>();
  readonly #used = new Set<Tensor>();
  readonly #constants = new Map<string, string>();
  readonly #made = new Map<string, unknown>();
  readonly #symbols = new Map<string, { tensor: string; axis: number }>();
  #next = 0;

  constructor(options: EmitOptions, nodes: readonly Node[], outputs: readonly Tensor[]) {
    this.options = options;
    for (const node of nodes) for (const t of node.inputs) this.#used.add(t);
    for (const t of outputs) this.#used.add(t);
  }

  /** True if some node or output reads this tensor. */
  used(t: Tensor): boolean {
    return this.#used.has(t);
  }

  fresh(): string {
    return `t${this.#next++}`;
  }

  name(t: Tensor): string {
    const name = this.#names.get(t);
    if (name === undefined) throw new SeedlingError(`emit: ${t.node.op} is used before it is made`);
    return name;
  }

  setName(t: Tensor, name: string): void {
    this.#names.set(t, name);
  }

  /** Adds a node with one output and returns its name. */
  add(
    op: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
    domain = "",
  ): string {
    const out = this.fresh();
    this.nodes.push({ op, inputs, outputs: [out], attributes, domain });
    return out;
  }

  /** What `make` returned when this key was first asked for. */
  once<T>(key: string, make: () => T): T {
    if (!this.#made.has(key)) this.#made.set(key, make());
    return this.#made.get(key) as T;
  }

  /** An initializer of that name, made once. */
  stored(name: string, type: OnnxTypeName, shape: readonly number[], data: TensorBytes): string {
    return this.once(name, () => {
      this.initializers.push({ name, type, shape, data });
      return name;
    });
  }

  /** The same, each time under a name of its own. */
  storedApart(name: string, type: OnnxTypeName, shape: readonly number[], data: TensorBytes): string {
    let own = name;
    for (let i = 2; this.#made.has(own); i++) own = `${name}#${i}`;
    return this.stored(own, type, shape, data);
  }

  feed(name: string, dtype: DType, shape: Shape): string {
    this.inputs.push({ name, type: dtype, dtype, shape });
    for (const [axis, dim] of shape.entries())
      if (typeof dim === "string" && !this.#symbols.has(dim)) this.#symbols.set(dim, { tensor: name, axis });
    return name;
  }

  #constant(type: OnnxTypeName, shape: readonly number[], data: Uint8Array): string {
    const key = `${type}[${shape}]${data.length <= 64 ? data.join(",") : `#${this.#next}`}`;
    const known = this.#constants.get(key);
    if (known) return known;
    const name = `c${this.#next++}`;
    this.initializers.push({ name, type, shape, data });
    this.#constants.set(key, name);
    return name;
  }

  floats(data: Float32Array, shape: readonly number[]): string {
    return this.#constant("f32", shape, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }

  ints(data: Int32Array, shape: readonly number[]): string {
    return this.#constant("i32", shape, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }

  scalar(value: number): string {
    return this.floats(Float32Array.of(value), []);
  }

  /** A list of int64, as shape arguments require. */
  longs(values: readonly (number | bigint)[]): string {
    const data = BigInt64Array.from(values, BigInt);
    return this.#constant("i64", [values.length], new Uint8Array(data.buffer));
  }

  /** int64 [rank] with the dims of a shape; symbols are read from the fed tensor that has them. */
  shapeOf(shape: Shape): string {
    if (shape.every((dim) => typeof dim === "number")) return this.longs(shape as readonly number[]);
    const parts = shape.map((dim) => (typeof dim === "number" ? this.longs([dim]) : this.#symbolic(dim)));
    return this.add("Concat", parts, { axis: 0 });
  }

  /** int64 [1] with the value of a dim at run time. */
  #symbolic(dim: string): string {
    const operators = { "*": "Mul", "+": "Add", "-": "Sub" };
    const value = computeDim(dim, {
      number: (n) => this.longs([n]),
      symbol: (name) => this.#symbol(name),
      combine: (operator, a, b) => this.add(operators[operator], [a, b]),
    });
    if (value !== undefined) return value;
    throw new SeedlingError(`emit: expected the symbols of ${dim} on fed tensors, got none. Feed a tensor with them.`);
  }

  #symbol(name: string): string | undefined {
    const source = this.#symbols.get(name);
    return source && this.add("Gather", [this.add("Shape", [source.tensor]), this.longs([source.axis])], { axis: 0 });
  }

  /** Reshape argument: -1 or 0 where that is enough, else the dims at run time. */
  reshapeTo(from: Shape, to: Shape): string {
    const symbolic = to.filter((dim, i) => typeof dim === "string" && from[i] !== dim);
    if (symbolic.length > 1) return this.shapeOf(to);
    const entry = (dim: Dim, i: number): number => (typeof dim === "number" ? dim : from[i] === dim ? 0 : -1);
    return this.longs(to.map(entry));
  }
}

/** The nodes whose values are needed, when a node reads what `reads` says. */
function neededNodes(
  nodes: readonly Node[],
  outputs: readonly Tensor[],
  reads: (node: Node) => readonly Tensor[],
): Node[] {
  const needed = new Set<Node>(outputs.map(({ node }) => node));
  for (const node of nodes.toReversed()) if (needed.has(node)) for (const t of reads(node)) needed.add(t.node);
  return nodes.filter((node) => needed.has(node));
}

function lowerAttention(e: Emitter, { q, k, v, heads, scale }: Attention): string {
  const inputs = [q, k, v].map((t) => e.name(t));
  return e.add("MultiHeadAttention", inputs, { num_heads: heads, scale: { float: scale } }, "com.microsoft");
}

/**
 * Writes the graph of `outputs` as an ONNX model with one feed per `input` node and fed parameter.
 * @see https://onnx.ai/onnx/repo-docs/IR.html
 */
export function emit(outputs: Readonly<Record<string, Tensor>>, options: EmitOptions): Emitted {
  const results = Object.values(outputs);
  const all = sortNodes(results);
  const whole = options.target === "cpu" ? attentions(all, results) : new Map<Node, Attention>();
  const nodes = neededNodes(all, results, (node) => {
    const attention = whole.get(node);
    return attention ? [attention.q, attention.k, attention.v] : readsInPlace(node, options.weight);
  });
  const e = new Emitter(options, nodes, results);
  // Inputs first: symbols must be known before a shape asks for them.
  for (const node of [...nodes.filter((n) => n.op === "input"), ...nodes.filter((n) => n.op !== "input")]) {
    const lower = lowerings[node.op] as Lowering<OpName>;
    const attention = whole.get(node);
    const name = attention ? lowerAttention(e, attention) : lower(e, node);
    if (name !== undefined) e.setName(node.outputs[0], name);
  }
  const values: ValueInfo[] = [];
  for (const [name, t] of Object.entries(outputs)) {
    if (e.inputs.some((input) => input.name === name))
      throw new SeedlingError(`emit: expected another name for the output ${name}, it is the name of an input.`);
    e.nodes.push({ op: "Identity", inputs: [e.name(t)], outputs: [name] });
    values.push({ name, type: t.dtype, shape: t.shape });
  }
  const { initializers, inputs } = e;
  const files = initializers.flatMap(({ data }) => ("file" in data ? [data.file] : []));
  const bytes = writeModel({ nodes: e.nodes, initializers, inputs, outputs: values });
  return { bytes, inputs, files: [...new Set(files)] };
}
