/**
 * Replies to prompts that arrive at any time, as a server gets them. Those that wait are started together and join those
 * that are under way; what cannot join takes turns, a token each, so that a newcomer does not wait for the longest reply.
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
   * Yields the model's reply to the prompt, as `generate` does. Replies of one model grow together: each is the same
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
      const next = this.#nextGroup(groups);
      if (next) groups.push(next);
      for (const group of groups) {
        group.keep((member) => stillWanted(member as Waiting));
        if (group.open.length === 0) continue;
        await failing([group], () => group.step());
      }
      for (let i = groups.length - 1; i >= 0; i--) {
        const group = groups[i] as ReplyGroup;
        const older = groups.slice(0, i).find((one) => this.#fits(one, group));
        if (older) await failing([older, group], () => older.join(group));
        if (older || group.open.length === 0) groups.splice(i, 1);
      }
    }
  }

  #fits(group: ReplyGroup, other: ReplyGroup): boolean {
    const both = group.open.length > 0 && other.open.length > 0 && group.joins && other.joins;
    return both && group.model === other.model && group.open.length + other.open.length <= this.#batch;
  }

  /**
   * The first that waits, and others of the same model: as many as a group that is under way has room for, or a group of
   * their own if there may be one more. Undefined if they have to wait.
   */
  #nextGroup(groups: readonly ReplyGroup[]): ReplyGroup | undefined {
    const model = this.#waiting[0]?.model;
    if (!model) return undefined;
    const joining = groups.filter((group) => group.model === model && group.joins);
    const rooms = joining.map((group) => this.#batch - group.open.length).filter((room) => room > 0);
    const room = rooms[0] ?? (groups.length < this.#most ? this.#batch : 0);
    if (room === 0) return undefined;
    const together = this.#waiting.filter((member) => member.model === model).slice(0, room);
    this.#waiting = this.#waiting.filter((member) => !together.includes(member));
    return new ReplyGroup(model, together);
  }
}

/** Reports a failure to the members of the groups, and ends them. */
async function failing(groups: readonly ReplyGroup[], work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    for (const group of groups) {
      for (const member of group.open) (member as Waiting).fail(error);
      group.keep(() => false);
    }
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
