/** The reference executor: runs a graph in float64, one node at a time. For tests; correct rather than fast. */
import { InputError, SeedlingError, UsageError } from "../base/errors.ts";
import { printShape, resolveDim, type Shape, sizeOf, symbolsOf } from "../graph/dims.ts";
import type { OpName } from "../graph/ops.ts";
import { type Node, sortNodes, type Tensor } from "../graph/tensor.ts";
import type { RefArray } from "./reference-arrays.ts";
import { type ComputedOp, type Inputs, type Kernel, kernels, type Shapes } from "./reference-kernels.ts";

export type { RefArray } from "./reference-arrays.ts";

export interface RefOptions {
  /** Elements of every input by name, in row-major order; bools as 0 and 1. */
  readonly feeds?: Readonly<Record<string, ArrayLike<number>>>;
  /** Elements of the parameter at a path. */
  readonly params?: (path: string) => ArrayLike<number>;
  /** Values of symbolic dims. One that an input's length determines may be left out. */
  readonly symbols?: Readonly<Record<string, number>>;
}

/**
 * Values of tensors.
 * @throws UsageError if a feed, the parameters or a symbol's value is missing
 * @throws InputError if a feed or parameter has the wrong number of elements, or an id is outside its table
 */
export function evaluate(outputs: readonly Tensor[], options: RefOptions = {}): RefArray[] {
  const nodes = sortNodes(outputs);
  const symbols = findSymbols(nodes, options);
  const values = new Map<Tensor, RefArray>();
  for (const node of nodes) {
    const shapes = node.outputs.map((t) => resolveShape(t.shape, symbols));
    const computed = isComputed(node) ? compute(node, values, shapes) : [Float64Array.from(givenValue(node, options))];
    for (const [i, t] of node.outputs.entries()) {
      const shape = shapes[i] ?? [];
      const data = computed[i] ?? new Float64Array();
      if (data.length !== sizeOf(shape))
        throw new InputError(
          `reference ${nameOf(node)}: expected ${sizeOf(shape)} elements ${printShape(shape)}, got ${data.length}.`,
        );
      values.set(t, { shape, data });
    }
  }
  return outputs.map((t) => values.get(t) as RefArray);
}

function isComputed(node: Node): node is Node<ComputedOp> {
  return node.op in kernels;
}

function compute(
  node: Node<ComputedOp>,
  values: ReadonlyMap<Tensor, RefArray>,
  shapes: readonly (readonly number[])[],
): readonly Float64Array[] {
  const kernel = kernels[node.op] as Kernel<ComputedOp>;
  const inputs = node.inputs.map((t) => values.get(t)) as unknown as Inputs;
  const result = kernel(inputs, shapes as unknown as Shapes, node);
  return result instanceof Float64Array ? [result] : result;
}

function givenValue(node: Node, { feeds = {}, params }: RefOptions): ArrayLike<number> {
  if (isOp(node, "constant")) return node.attrs.data;
  if (isOp(node, "input")) return feeds[node.attrs.name] ?? missing(node, `feeds.${node.attrs.name}`);
  if (isOp(node, "param")) return params?.(node.attrs.path) ?? missing(node, "params");
  throw new SeedlingError(`reference: no kernel for ${node.op}.`);
}

function missing(node: Node, option: string): never {
  throw new UsageError(`reference ${nameOf(node)}: expected a value, got none. Set ${option}.`);
}

function isOp<K extends OpName>(node: Node, op: K): node is Node<K> {
  return node.op === op;
}

function nameOf(node: Node): string {
  if (isOp(node, "input")) return `input ${node.attrs.name}`;
  return isOp(node, "param") ? `param ${node.attrs.path}` : node.op;
}

function resolveShape(shape: Shape, symbols: Readonly<Record<string, number>>): number[] {
  return shape.map((dim) => {
    const value = resolveDim(dim, symbols);
    if (value !== undefined) return value;
    throw new UsageError(`reference: expected a value for the dim ${dim}, got none. Set symbols.${dim}.`);
  });
}

/** The given symbols and those that follow from the length of an input with one unknown, as B does from [B,3]. */
function findSymbols(nodes: readonly Node[], { feeds = {}, symbols = {} }: RefOptions): Record<string, number> {
  const known = { ...symbols };
  const inputs = nodes.filter((node) => isOp(node, "input"));
  for (let before = -1; before < Object.keys(known).length; ) {
    before = Object.keys(known).length;
    for (const { attrs } of inputs) {
      const length = feeds[attrs.name]?.length;
      const parts = attrs.shape.flatMap(symbolsOf);
      const [unknown, ...others] = parts.filter((symbol) => resolveDim(symbol, known) === undefined);
      if (length === undefined || unknown === undefined || others.length > 0) continue;
      const rest = resolveDim(sizeOf(attrs.shape), { ...known, [unknown]: 1 }) ?? 0;
      if (rest > 0 && length % rest === 0) known[unknown] = length / rest;
    }
  }
  return known;
}
