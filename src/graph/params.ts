/**
 * Scopes of parameter names. `p.at("attn")` descends, `p.get("weight", shape, init)` declares: the path of names is the
 * key in a checkpoint, and nothing is declared twice.
 */
import { SeedlingError } from "../base/errors.ts";
import { printShape, sameShape } from "./dims.ts";
import type { Init } from "./ops.ts";
import { apply, type Node, type Tensor } from "./tensor.ts";

export class Params {
  readonly path: string;
  readonly #declared: Map<string, Tensor>;
  readonly #taps: Map<string, Tensor>;

  constructor(path = "", declared = new Map<string, Tensor>(), taps = new Map<string, Tensor>()) {
    this.path = path;
    this.#declared = declared;
    this.#taps = taps;
  }

  /** The scope `name` below this one. Dots and numbers are fine: `p.at("blocks", 3)`. */
  at(...names: (string | number)[]): Params {
    return new Params([this.path, ...names].filter((name) => name !== "").join("."), this.#declared, this.#taps);
  }

  /** The parameter `name` of this scope, f32. Asking again with the same shape gives the same tensor (tied weights). */
  get(name: string, shape: readonly number[], init: Init): Tensor {
    const path = this.path ? `${this.path}.${name}` : name;
    const known = this.#declared.get(path);
    if (known) {
      if (sameShape(known.shape, shape)) return known;
      throw new SeedlingError(
        `${path}: expected the shape of its first use, ${printShape(known.shape)}, got ${printShape(shape)}.`,
      );
    }
    const tensor = apply("param", [], { path, shape, init })[0];
    this.#declared.set(path, tensor);
    return tensor;
  }

  /** Every parameter declared so far from the root of these scopes, in order of declaration. */
  declared(): ReadonlyMap<string, Tensor> {
    return this.#declared;
  }

  /**
   * Records an intermediate result under `name`, for parity checks and debugging, and returns it. Names do not depend on
   * the scope; where a model is built twice, the later result counts.
   */
  tap(name: string, x: Tensor): Tensor {
    this.#taps.set(name, x);
    return x;
  }

  /** The results recorded so far, by name. A copy: what is built later is not in it. */
  taps(): Record<string, Tensor> {
    return Object.fromEntries(this.#taps);
  }
}

export function normal(std: number): Init {
  return { kind: "normal", std };
}
/** Uniform in [-bound, bound]. */
export function uniform(bound: number): Init {
  return { kind: "uniform", bound };
}
export const zeros: Init = { kind: "constant", value: 0 };
export const ones: Init = { kind: "constant", value: 1 };
export function filled(value: number): Init {
  return { kind: "constant", value };
}

export function paramAttrs(t: Tensor): Node<"param">["attrs"] {
  if (t.node.op !== "param") throw new SeedlingError(`expected a parameter, got the result of ${t.node.op}.`);
  return (t.node as Node<"param">).attrs;
}
