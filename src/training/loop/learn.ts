/** Which parameters learn, and with which settings. Models do not know. */
import { InputError, UsageError } from "../../base/errors.ts";
import { type Params, paramAttrs } from "../../graph/index.ts";
import { initialValues } from "../../nn/index.ts";
import type { Slot } from "../../runtime/index.ts";

export type Learnable = Slot & { readonly initial: Float32Array };

export interface LearnOptions {
  /** Name prefixes that learn: a whole segment of the path or more, e.g. "Qformer" or "blocks_image.0". */
  readonly prefixes: readonly string[];
  readonly seed: number;
  /** For tensors of two and more axes; vectors and scalars never decay. */
  readonly weightDecay: number;
  /** First values from elsewhere (an earlier stage). */
  readonly start?: ReadonlyMap<string, Float32Array> | undefined;
  /** Factor on the rate of a parameter; 0 for one that is moved by other means. Default 1. */
  readonly rateScale?: ((path: string) => number) | undefined;
}

export function matchesPrefix(path: string, prefixes: readonly string[]): boolean {
  return prefixes.some((prefix) => path === prefix || path.startsWith(`${prefix}.`));
}

/**
 * The declared parameters under the prefixes.
 * @throws UsageError if a prefix matches nothing; InputError for first values of another size.
 */
export function learnables(
  params: Params,
  { prefixes, seed, weightDecay, start, rateScale }: LearnOptions,
): Learnable[] {
  const all = [...params.declared().values()].map(paramAttrs);
  for (const prefix of prefixes)
    if (!all.some(({ path }) => matchesPrefix(path, [prefix])))
      throw new UsageError(`train: expected parameters below ${prefix}, found none. Check what the stage lets learn.`);
  return all
    .filter(({ path }) => matchesPrefix(path, prefixes))
    .map(({ path, shape, init }) => ({
      path,
      shape,
      rateScale: rateScale?.(path) ?? 1,
      weightDecay: shape.length < 2 ? 0 : weightDecay,
      initial: started(path, shape, start) ?? initialValues(path, shape, init, seed),
    }));
}

function started(path: string, shape: readonly number[], start: LearnOptions["start"]): Float32Array | undefined {
  const values = start?.get(path);
  const expected = shape.reduce((a, b) => a * b, 1);
  if (values && values.length !== expected)
    throw new InputError(
      `${path}: expected ${expected} numbers [${shape}] to begin with, got ${values.length}. The weights that this run begins with have other sizes.`,
    );
  return values;
}
