/** Requests to the worker and its replies; tensors that stay there are freed when nothing refers to them any more. */
import { startThread } from "#thread";
import { type ExitCode, RuntimeEndedError, SeedlingError } from "../base/errors.ts";
import { reason } from "../base/one-line.ts";
import type { Kept, Reply, Request } from "./protocol.ts";
import type { StartThread, Thread } from "./thread.ts";

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

export class Channel {
  readonly #thread: Thread;
  readonly #waiting = new Map<number, Waiting>();
  readonly #forgotten = new FinalizationRegistry<number>((kept) => this.drop([kept]));
  #nextId = 1;
  #dead: Error | undefined;

  /** @param start what starts the thread; tests put another in its place */
  constructor(start: StartThread = startThread) {
    this.#thread = start({
      onReply: (reply) => this.#settle(reply),
      onEnd: (cause) => this.#fail(ended(cause)),
    });
  }

  request(request: Request): Promise<unknown> {
    if (this.#dead) return Promise.reject(this.#dead);
    const id = this.#nextId++;
    this.#thread.setBusy(true);
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#thread.post({ id, request });
    });
  }

  /** Frees a kept tensor when nothing here refers to it any more. */
  watch(kept: Kept): void {
    this.#forgotten.register(kept, kept.kept);
  }

  drop(kept: readonly number[]): void {
    if (!this.#dead && kept.length > 0) this.request({ kind: "drop", kept }).catch(() => {}); // closed meanwhile
  }

  async close(): Promise<void> {
    this.#dead = new SeedlingError("runtime: closed");
    await this.#thread.end();
    this.#fail(this.#dead); // browsers do not report that a worker has ended
  }

  #settle(reply: Reply): void {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if (this.#waiting.size === 0 && !this.#dead) this.#thread.setBusy(false);
    if ("error" in reply) waiting?.reject(new SeedlingError(reply.error, (reply.exitCode ?? 1) as ExitCode));
    else waiting?.resolve(reply.result);
  }

  #fail(error: Error): void {
    this.#dead ??= error;
    for (const { reject } of this.#waiting.values()) reject(this.#dead);
    this.#waiting.clear();
  }
}

function ended(cause: Error | undefined): RuntimeEndedError {
  const why = cause ? ` (${reason(cause)})` : "";
  return new RuntimeEndedError(`runtime: the worker thread has ended${why}. Open the model again.`, { cause });
}
