/** The way in which processes share a list of work: a pass over it, then waiting for what others have claimed. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Claim, Claims } from "../../io/claims-node.ts";

/** How a piece of work ended, for this process. */
export type Outcome = "done" | "present" | "failed" | "elsewhere";

export interface SharedWork<T> {
  readonly claims: Claims;
  /** Names the work for all processes; undefined if it cannot be done, which has been reported. */
  readonly name: (item: T) => Promise<string | undefined>;
  /** Whether the result is there. */
  readonly present: (name: string, item: T) => Promise<boolean>;
  /** Does the work. @returns whether the result is there now; what went wrong has been reported */
  readonly work: (item: T, name: string, claim: Claim) => Promise<boolean>;
  readonly onOutcome: (item: T, outcome: Exclude<Outcome, "elsewhere">, late: boolean) => void;
  /** Called before each wait, with what others are working on. */
  readonly onWait: (items: readonly T[]) => void;
  /** Whether to wait for what others have claimed, and to do it if they do not. */
  readonly wait: boolean;
  readonly signal: AbortSignal;
  /** Between two looks at what others have claimed, ms. */
  readonly pollMs?: number;
}

/** @returns what other processes were working on when this one stopped waiting */
export async function shareWork<T>(items: readonly T[], options: SharedWork<T>): Promise<readonly T[]> {
  const { signal, wait, onOutcome, onWait, pollMs = 1000 } = options;
  let pending = items;
  for (let late = false; ; late = true) {
    const elsewhere: T[] = [];
    for (const item of pending) {
      signal.throwIfAborted();
      const outcome = await attempt(item, options);
      if (outcome === "elsewhere") elsewhere.push(item);
      else onOutcome(item, outcome, late);
    }
    if (elsewhere.length === 0 || !wait) return elsewhere;
    onWait(elsewhere);
    await sleep(pollMs, undefined, { signal });
    pending = elsewhere;
  }
}

async function attempt<T>(item: T, { claims, name: nameOf, present, work }: SharedWork<T>): Promise<Outcome> {
  const name = await nameOf(item);
  if (name === undefined) return "failed";
  if (await present(name, item)) {
    await claims.forget(name);
    return "present";
  }
  const claim = await claims.claim(name);
  if (!claim) return "elsewhere";
  let done = false;
  try {
    const before = await present(name, item); // by whoever had the claim until now
    done = before || (await work(item, name, claim));
    return before ? "present" : done ? "done" : (await claim.held()) ? "failed" : "elsewhere";
  } finally {
    await (done ? claim.done() : claim.release());
  }
}
