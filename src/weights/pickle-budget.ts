/**
 * How much one pickle may ask for. A few of its bytes can cost much: one byte makes a dict of two hundred bytes, and
 * three call a function on a list that is already there. A tensor of torch.save takes about 45 instructions and 60
 * items, so the limits hold thirty thousand tensors; published models with their optimizers have a few thousand.
 */

import { CheckpointError } from "../base/errors.ts";

const MAX_INSTRUCTIONS = 2_000_000;
const MAX_DEPTH = 500_000;
const MAX_MEMO = 500_000;
/** About 100 bytes of memory each, at worst. */
const MAX_ITEMS = 2_000_000;
/**
 * Numbers can be chosen so that all of them collide in a Map (the engine's hash of numbers has no secret), and then
 * every look-up walks through every key. Texts cannot.
 */
const MAX_NUMBER_KEYS = 100_000;

/** Items that these count as, in addition to what is put into them: an empty one takes memory too. */
export const DICT_ITEMS = 8;
export const LIST_ITEMS = 4;
export const CALL_ITEMS = 8;

export class PickleBudget {
  readonly #where: string;
  #instructions = 0;
  #items = 0;
  #numberKeys = 0;

  constructor(where: string) {
    this.#where = where;
  }

  /** Before each instruction, which adds at most one value to a stack of `depth`. */
  step(depth: number): void {
    if (++this.#instructions > MAX_INSTRUCTIONS) this.#exceed(MAX_INSTRUCTIONS, "instructions");
    if (depth > MAX_DEPTH) this.#exceed(MAX_DEPTH, "values on its stack");
  }

  /** Before `count` items are built or looked at. */
  spend(count: number): void {
    this.#items += count;
    if (this.#items > MAX_ITEMS) this.#exceed(MAX_ITEMS, "items in all");
  }

  /** Before a value is remembered as number `key`; writers count from 0. */
  remember(key: number): void {
    if (key >= MAX_MEMO) this.#exceed(MAX_MEMO, "remembered values");
  }

  /** Before a dict gets an item under `key`. */
  key(key: unknown): void {
    if (typeof key === "number" && ++this.#numberKeys > MAX_NUMBER_KEYS) {
      this.#exceed(MAX_NUMBER_KEYS, "keys that are numbers");
    }
  }

  #exceed(limit: number, what: string): never {
    throw new CheckpointError(
      `${this.#where}: expected a pickle of at most ${limit} ${what}, got more. No checkpoint needs that many; do not trust this file.`,
    );
  }
}
