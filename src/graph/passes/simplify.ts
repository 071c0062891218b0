/**
 * A graph that computes the same with fewer passes over memory. Nodes are rebuilt from the inputs up: equal ones become
 * one, and the rules of `rewrites.ts` replace a node by a cheaper one until none applies. What nothing reads any more
 * drops out, as graphs are walked from their outputs.
 *
 * The numbers differ by rounding only, so this is for training graphs; graphs that make codes are emitted as written.
 */
import { entry, item } from "../../base/item.ts";
import type { OpAttrs, OpName } from "../ops.ts";
import { apply, type Node, sortNodes, type Tensor } from "../tensor.ts";
import { type Rewrite, type Rewrites, rewrites, type Surroundings } from "./rewrites.ts";

/** Most rounds; each rule shrinks the graph, so few graphs need more than four. */
const ROUNDS = 20;

/** The same outputs, computed with fewer operations. Inputs and parameters stay the nodes they are. */
export function simplify(outputs: readonly Tensor[]): Tensor[] {
  let current = [...outputs];
  for (let round = 0; round < ROUNDS; round++) {
    const { outputs: next, changed } = rebuild(current, rewrites);
    if (!changed) break;
    current = next;
  }
  return current;
}

/** One walk over a graph: the outputs made of fewer or better nodes, and whether any node was replaced. */
export function rebuild(outputs: readonly Tensor[], rules: Rewrites): { outputs: Tensor[]; changed: boolean } {
  const walk = new Walk(outputs, rules);
  return { outputs: walk.outputs(), changed: walk.changed };
}

class Walk implements Surroundings {
  changed = false;
  readonly #from: readonly Tensor[];
  readonly #rules: Rewrites;
  readonly #new = new Map<Tensor, Tensor>();
  readonly #known = new Map<string, Node>();
  readonly #readers = new Map<Tensor, number>();

  constructor(outputs: readonly Tensor[], rules: Rewrites) {
    this.#from = outputs;
    this.#rules = rules;
  }

  outputs(): Tensor[] {
    const nodes = sortNodes(this.#from);
    const readers = new Map<Tensor, number>();
    for (const t of [...this.#from, ...nodes.flatMap((node) => node.inputs)]) readers.set(t, (readers.get(t) ?? 0) + 1);
    for (const node of nodes) {
      const made = this.#rebuild(node);
      for (const [i, t] of node.outputs.entries()) {
        const to = item(made, i);
        this.#new.set(t, to);
        this.#readers.set(to, (this.#readers.get(to) ?? 0) + (readers.get(t) ?? 0));
      }
    }
    return this.#from.map((t) => entry(this.#new, t));
  }

  #rebuild(node: Node): Node["outputs"] {
    const inputs = node.inputs.map((t) => entry(this.#new, t));
    const rule = this.#rules[node.op] as Rewrite<OpName> | undefined;
    const better = rule?.({ inputs, attrs: node.attrs, output: node.outputs[0] }, this);
    if (better) {
      this.changed = true;
      return [better];
    }
    const key = keyOf(node.op, inputs, node.attrs);
    const known = this.#known.get(key);
    if (known) {
      this.changed ||= known !== node;
      return known.outputs;
    }
    const same = inputs.every((t, i) => t === node.inputs[i]);
    const made = same ? node.outputs : apply(node.op, inputs, node.attrs);
    this.#known.set(key, made[0].node);
    return made;
  }

  readOnce(t: Tensor): boolean {
    return this.#readers.get(t) === 1;
  }

  find<K extends OpName>(op: K, inputs: readonly Tensor[], attrs: OpAttrs[K]): Tensor | undefined {
    return this.#known.get(keyOf(op, inputs, attrs))?.outputs[0];
  }
}

const ids = new WeakMap<Tensor, number>();
let nextId = 0;

function idOf(t: Tensor): number {
  let id = ids.get(t);
  if (id === undefined) {
    id = nextId++;
    ids.set(t, id);
  }
  return id;
}

/** Equal for nodes that compute the same. */
function keyOf<K extends OpName>(op: K, inputs: readonly Tensor[], attrs: OpAttrs[K]): string {
  const entries = Object.entries(attrs).sort(([a], [b]) => (a < b ? -1 : 1));
  const text = entries.map(
    ([key, value]) => `${key}=${ArrayBuffer.isView(value) ? bytes(value) : JSON.stringify(value)}`,
  );
  return `${op}(${inputs.map(idOf)}) ${text.join(" ")}`;
}

const bytesOf = new WeakMap<ArrayBufferView, string>();

function bytes(view: ArrayBufferView): string {
  let text = bytesOf.get(view);
  if (text === undefined) {
    const { buffer, byteOffset, byteLength } = view;
    text = `${view.constructor.name} ${new Uint8Array(buffer, byteOffset, byteLength)}`;
    bytesOf.set(view, text);
  }
  return text;
}
