import { hashText, permutation, Rng } from "../../base/rng.ts";

/** All rows in a new order each epoch. */
export class Shuffle {
  readonly #count: number;
  readonly #seed: number;
  #order: { epoch: number; rows: Uint32Array } | undefined;

  constructor(count: number, seed: number) {
    this.#count = count;
    this.#seed = seed;
  }

  at(index: number): number {
    const epoch = Math.floor(index / this.#count);
    if (this.#order?.epoch !== epoch) {
      const rows = permutation(this.#count, new Rng(hashText(`${this.#seed}/epoch/${epoch}`)));
      this.#order = { epoch, rows };
    }
    return this.#order.rows[index % this.#count] ?? 0;
  }
}
