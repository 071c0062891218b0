/** Graphs as they are handed to a runtime: named outputs, and the parameters behind them. */
import { InputError, SeedlingError } from "../base/errors.ts";
import { type Params, paramAttrs } from "./params.ts";
import type { Tensor } from "./tensor.ts";

/** The outputs of one graph, by name. */
export type Outputs = Readonly<Record<string, Tensor>>;

/** Name and shape of every parameter of a scope. */
export function shapesOf(p: Params): [name: string, shape: readonly number[]][] {
  return [...p.declared()].map(([name, t]) => [name, paramAttrs(t).shape]);
}

/**
 * Builds a graph from sizes that came from the file `where`.
 * @throws InputError if they do not fit each other.
 */
export function buildFrom<T>(where: string, build: () => T): T {
  try {
    return build();
  } catch (cause) {
    if (!(cause instanceof SeedlingError || cause instanceof RangeError)) throw cause;
    throw new InputError(`${where}: the sizes do not fit each other: ${cause.message}`, { cause });
  }
}
