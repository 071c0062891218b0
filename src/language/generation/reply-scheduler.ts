/**
 * Replies to prompts that arrive at any time, as a server gets them. Those that wait are started together; a few such
 * groups take turns, a token each, so that a newcomer does not wait for the longest reply.
 */
import type { LmTokenizer } from "../../text/index.ts";
import { type GenerateEvent, type GenerateOptions, GrowingReply } from "./generate.ts";
import { type GroupMember, ReplyGroup } from "./reply-group.ts";
import type { TokenModel } from "./token-model.ts";

export interface SchedulerOptions {
  /** Most replies in a group. Default 16. */
  readonly batch?: number;
  /** Most groups that take turns. Default 2. */
  readonly groups?: number;
}

interface Waiting extends GroupMember {
  readonly model: TokenModel;
  readonly signal: AbortSignal | undefined;
  fail(error: unknown): void;
}

export class ReplyScheduler {
  readonly #batch: number;
  readonly #most: number;
  #waiting: Waiting[] = [];
  #working: Promise<void> | undefined;

  constructor({ batch = 16, groups = 2 }: SchedulerOptions = {}) {
    this.#batch = batch;
    this.#most = groups;
  }

  /**
   * Yields what the model says after the prompt, as `generate` does. Replies of one model grow together: each is the same
   * as alone but for rounding. Ending the iteration early, or aborting the signal, ends the computation of this reply.
   * @throws as `generate`
   */
  async *reply(
    model: TokenModel,
    tokenizer: LmTokenizer,
    prompt: readonly number[],
    options: GenerateOptions = {},
  ): AsyncGenerator<GenerateEvent, void, undefined> {
    options.signal?.throwIfAborted();
    const left = new AbortController();
    const signal = options.signal ? AbortSignal.any([options.signal, left.signal]) : left.signal;
    const mailbox = new Mailbox<GenerateEvent>();
    const member: Waiting = {
      model,
      signal,
      reply: new GrowingReply(model, tokenizer, prompt, options),
      onEvents: (events) => mailbox.put(events),
      fail: (error) => mailbox.fail(error),
    };
    this.#waiting.push(member);
    this.#working ??= this.#work().finally(() => {
      this.#working = undefined;
    });
    try {
      while (true) {
        const event = await mailbox.take();
        yield event;
        if (event.kind === "end") return;
      }
    } finally {
      left.abort();
    }
  }

  async #work(): Promise<void> {
    const groups: ReplyGroup[] = [];
    while (this.#waiting.length > 0 || groups.length > 0) {
      if (groups.length === 0) await new Promise((done) => setTimeout(done)); // others that come now begin together
      while (this.#waiting.length > 0 && groups.length < this.#most) groups.push(this.#nextGroup());
      for (const group of groups) {
        group.keep((member) => stillWanted(member as Waiting));
        if (group.open.length === 0) continue;
        try {
          await group.step();
        } catch (error) {
          for (const member of group.open) (member as Waiting).fail(error);
          group.keep(() => false);
        }
      }
      for (let i = groups.length - 1; i >= 0; i--) if (groups[i]?.open.length === 0) groups.splice(i, 1);
    }
  }

  /** The first that waits, and others of the same model. */
  #nextGroup(): ReplyGroup {
    const model = this.#waiting[0]?.model as TokenModel;
    const together = this.#waiting.filter((member) => member.model === model).slice(0, this.#batch);
    this.#waiting = this.#waiting.filter((member) => !together.includes(member));
    return new ReplyGroup(model, together);
  }
}

function stillWanted({ signal, fail }: Waiting): boolean {
  if (!signal?.aborted) return true;
  fail(signal.reason);
  return false;
}

/** Values that are put in faster or slower than they are taken. */
class Mailbox<T> {
  readonly #values: T[] = [];
  #error: { readonly error: unknown } | undefined;
  #wake: (() => void) | undefined;

  put(values: readonly T[]): void {
    this.#values.push(...values);
    this.#wake?.();
  }

  fail(error: unknown): void {
    this.#error ??= { error };
    this.#wake?.();
  }

  async take(): Promise<T> {
    while (this.#values.length === 0) {
      if (this.#error) throw this.#error.error;
      await new Promise<void>((wake) => {
        this.#wake = wake;
      });
    }
    return this.#values.shift() as T;
  }
}
