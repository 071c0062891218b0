/** Codes -> the codebook vectors that the decoders read; codes that are left out are filled in. */

import { UsageError } from "../base/errors.ts";
import { CODES_PER_IMAGE, type Codes } from "../codes/index.ts";
import type { Value } from "../runtime/index.ts";

export interface KeepOptions {
  /** Only the first n codes are used, 1..32. Default 32. In causal order the first codes carry the most. */
  readonly keep?: number;
  /**
   * What fills in for the others: "mean", the mean of all code vectors; or "repeat", the last code that is used. Default
   * "mean".
   */
  readonly rest?: "mean" | "repeat";
}

export class CodeVectors {
  /** The codebook, f32 [K,width]. */
  readonly table: Float32Array;
  readonly #width: number;
  readonly #mean: Float32Array;

  /** table: f32 [K,width]. */
  constructor(table: Float32Array, width: number) {
    const K = table.length / width;
    this.table = table;
    this.#width = width;
    this.#mean = new Float32Array(width);
    for (const [i, value] of table.entries()) this.#mean[i % width]! += value / K;
  }

  /** B lists of 32 valid codes -> f32 [B,32,width]. @throws UsageError if `keep` is not in 1..32. */
  lookUp(images: readonly Codes[], { keep = CODES_PER_IMAGE, rest = "mean" }: KeepOptions = {}): Value {
    if (!Number.isInteger(keep) || keep < 1 || keep > CODES_PER_IMAGE)
      throw new UsageError(`keep: expected a number of codes from 1 to ${CODES_PER_IMAGE}, got ${keep}.`);
    const E = this.#width;
    const row = (code: number): Float32Array => this.table.subarray(code * E, (code + 1) * E);
    const data = new Float32Array(images.length * CODES_PER_IMAGE * E);
    for (const [b, codes] of images.entries())
      for (let t = 0; t < CODES_PER_IMAGE; t++) {
        const unknown = rest === "mean" ? this.#mean : row(codes[keep - 1]!);
        data.set(t < keep ? row(codes[t]!) : unknown, (b * CODES_PER_IMAGE + t) * E);
      }
    return { shape: [images.length, CODES_PER_IMAGE, E], data };
  }
}
