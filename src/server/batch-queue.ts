/**
 * Requests that wait are computed together. While one batch is computed the next one collects, so the batch grows with the
 * load and no request waits for others to arrive.
 */
import { InputError, UsageError } from "../base/errors.ts";
import { BusyError } from "./api-error.ts";

export interface BatchQueueOptions<Job, Result> {
  /** Results of jobs that may be computed together, in their order. `signal` aborts when no caller waits for any of them. */
  readonly run: (jobs: readonly Job[], signal: AbortSignal) => Promise<readonly Result[]>;
  /** Jobs with the same key may be computed together. Default: all may. */
  readonly key?: (job: Job) => string;
  /** Most jobs in a batch. */
  readonly maxBatch: number;
  /** Most jobs that wait; more are refused. */
  readonly maxWaiting: number;
}

interface Entry<Job, Result> {
  readonly job: Job;
  readonly key: string;
  readonly signal: AbortSignal | undefined;
  readonly done: (result: Result) => void;
  readonly fail: (error: unknown) => void;
}

export class BatchQueue<Job, Result> {
  readonly #options: BatchQueueOptions<Job, Result>;
  #waiting: Entry<Job, Result>[] = [];
  #working = false;

  constructor(options: BatchQueueOptions<Job, Result>) {
    this.#options = options;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** @throws BusyError if too many wait already; the signal's reason when it is aborted; what `run` throws */
  submit(job: Job, signal?: AbortSignal): Promise<Result> {
    const { key = () => "", maxWaiting } = this.#options;
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.#waiting.length >= maxWaiting) return Promise.reject(new BusyError(maxWaiting));
    return new Promise<Result>((done, fail) => {
      const entry: Entry<Job, Result> = { job, key: key(job), signal, done, fail };
      const forget = (): void => {
        this.#waiting = this.#waiting.filter((other) => other !== entry);
        fail(signal?.reason);
      };
      signal?.addEventListener("abort", forget, { once: true });
      this.#waiting.push(entry);
      this.#work();
    });
  }

  async #work(): Promise<void> {
    if (this.#working) return;
    this.#working = true;
    await new Promise((next) => setTimeout(next)); // requests that arrive together are computed together
    while (this.#waiting.length > 0) await this.#runBatch();
    this.#working = false;
  }

  async #runBatch(): Promise<void> {
    const { maxBatch } = this.#options;
    const first = this.#waiting[0]?.key;
    const batch = this.#waiting.filter(({ key }) => key === first).slice(0, maxBatch);
    this.#waiting = this.#waiting.filter((entry) => !batch.includes(entry));
    const stop = new AbortController();
    const check = (): void => {
      if (batch.every(({ signal }) => signal?.aborted)) stop.abort(new Error("no caller is waiting for this"));
    };
    for (const { signal } of batch) signal?.addEventListener("abort", check, { once: true });
    await this.#compute(batch, stop.signal);
    for (const { signal } of batch) signal?.removeEventListener("abort", check);
  }

  /** A job that is refused, such as a broken picture, must not fail those next to it: the halves are computed again. */
  async #compute(batch: readonly Entry<Job, Result>[], signal: AbortSignal): Promise<void> {
    try {
      const results = await this.#options.run(
        batch.map(({ job }) => job),
        signal,
      );
      for (const [i, { done }] of batch.entries()) done(results[i] as Result);
    } catch (error) {
      const refused = error instanceof InputError || error instanceof UsageError;
      if (refused && batch.length > 1) {
        const half = Math.ceil(batch.length / 2);
        await this.#compute(batch.slice(0, half), signal);
        await this.#compute(batch.slice(half), signal);
      } else for (const { fail } of batch) fail(error);
    }
  }
}
