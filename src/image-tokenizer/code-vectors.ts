/** Codes -> the codebook vectors that the decoders read; codes that are left out are filled in. */

import { UsageError } from "../base/errors.ts";
import { item } from "../base/item.ts";
import { CODES_PER_IMAGE, type Codes } from "../codes/index.ts";
import type { Value } from "../runtime/index.ts";

export interface KeepOptions {
  /** Only the first n codes are used, 1..32. Default 32. In causal order the first codes carry the most. */
  readonly keep?: number;
  /**
   * What replaces the others: "learned", vectors trained for that, in models that have them; "mean", the mean of all
   * code vectors; or "repeat", the last code that is used. Default "learned", or else "mean".
   */
  readonly rest?: "learned" | "mean" | "repeat";
}

export class CodeVectors {
  /** The codebook, f32 [K,width]. */
  readonly table: Float32Array;
  readonly #width: number;
  readonly #mean: Float32Array;
  readonly #missing: Float32Array | undefined;
  readonly #count: number;

  /**
   * table: f32 [K,width], missing: f32 [count,width], what is read in place of codes that are left out.
   * @param count codes of a picture
   */
  constructor(table: Float32Array, width: number, missing?: Float32Array, count = CODES_PER_IMAGE) {
    this.#missing = missing;
    this.#count = count;
    const K = table.length / width;
    this.table = table;
    this.#width = width;
    this.#mean = new Float32Array(width);
    for (const [i, value] of table.entries()) this.#mean[i % width]! += value / K;
  }

  /**
   * B lists of as many valid codes as a picture has -> f32 [B,count,width].
   * @throws UsageError if `keep` is not in 1..count, or for learned vectors where there are none
   */
  lookUp(images: readonly Codes[], { keep = this.#count, rest }: KeepOptions = {}): Value {
    const count = this.#count;
    const missing = this.#missing;
    if (rest === "learned" && !missing)
      throw new UsageError(
        'rest: expected "mean" or "repeat", got "learned": this model has no vectors for missing codes.',
      );
    if (!Number.isInteger(keep) || keep < 1 || keep > count)
      throw new UsageError(`keep: expected a number of codes from 1 to ${count}, got ${keep}.`);
    const E = this.#width;
    const row = (code: number): Float32Array => this.table.subarray(code * E, (code + 1) * E);
    const filler = (codes: Codes, t: number): Float32Array => {
      if (rest === "repeat") return row(item(codes, keep - 1));
      return missing && rest !== "mean" ? missing.subarray(t * E, (t + 1) * E) : this.#mean;
    };
    const data = new Float32Array(images.length * count * E);
    for (const [b, codes] of images.entries())
      for (let t = 0; t < count; t++) {
        data.set(t < keep ? row(item(codes, t)) : filler(codes, t), (b * count + t) * E);
      }
    return { shape: [images.length, count, E], data };
  }
}
