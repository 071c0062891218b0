/** Requests to the worker and its replies; tensors that stay there are freed when nobody holds them any more. */
import { startThread } from "#thread";
import { type ExitCode, SeedlingError } from "../base/errors.ts";
import type { Kept, Reply, Request } from "./protocol.ts";
import type { Thread } from "./thread.ts";

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

  constructor() {
    this.#thread = startThread({
      onReply: (reply) => this.#settle(reply),
      onEnd: (error) => this.#fail(error ?? new SeedlingError("runtime: the worker thread has ended")),
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
    this.#fail(this.#dead); // a browser does not say that its worker has ended
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
