/** First values of parameters, from the seed of a run and the name path, so that adding a layer moves no other. */

import { hashText, Rng } from "../base/rng.ts";
import type { Init } from "../graph/index.ts";

/** Values of one parameter. */
export function initialValues(path: string, shape: readonly number[], init: Init, seed: number): Float32Array {
  const out = new Float32Array(shape.reduce((a, b) => a * b, 1));
  if (init.kind === "constant") return out.fill(init.value);
  const rng = new Rng((hashText(path) ^ seed) >>> 0);
  if (init.kind === "normal") for (let i = 0; i < out.length; i++) out[i] = init.std * rng.normal();
  else for (let i = 0; i < out.length; i++) out[i] = init.bound * (2 * rng.next() - 1);
  return out;
}
