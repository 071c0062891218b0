/** Pauses for the event loop during a long computation on the main thread: signals are noticed, progress is drawn. */

/** Longest time without a pause, ms. */
const LONGEST = 50;

export class Breath {
  readonly #signal: AbortSignal | undefined;
  #last = performance.now();

  constructor(signal?: AbortSignal) {
    this.#signal = signal;
  }

  /** Pauses if it is time to. @throws the signal's reason once it is aborted */
  async take(): Promise<void> {
    if (performance.now() - this.#last < LONGEST) return;
    await new Promise((resolve) => setTimeout(resolve));
    this.#signal?.throwIfAborted();
    this.#last = performance.now();
  }
}
