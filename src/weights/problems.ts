/** What is wrong with a file, as a list that a hostile file cannot make long. */

import { CheckpointError } from "../base/errors.ts";

/** How many are kept, and how many of those the message names. */
const KEPT = 20;
const NAMED = 3;

export class Problems {
  readonly list: string[] = [];

  /** Whether nothing more needs to be looked for. */
  get full(): boolean {
    return this.list.length >= KEPT;
  }

  add(problem: string): void {
    if (!this.full) this.list.push(problem);
  }

  /** One line that begins with `what` and names the first few. */
  error(what: string): CheckpointError {
    const more = this.list.length - NAMED;
    const rest = more > 0 ? `; and ${this.full ? "at least " : ""}${more} more` : "";
    return new CheckpointError(`${what}: ${this.list.slice(0, NAMED).join("; ")}${rest}.`, this.list);
  }
}
