/** Ctrl-C: the first one asks the work to end cleanly, the second ends the process. */

/** What a command ends with after a signal: 128 plus the signal's number, as shells do. */
export class Interrupted extends Error {
  readonly exitCode: number;
  constructor(exitCode: number) {
    super("interrupted");
    this.exitCode = exitCode;
  }
}

const SIGNALS = { SIGINT: 130, SIGTERM: 143 } as const;

/** Runs `work` with a signal that aborts on Ctrl-C. @throws Interrupted if the work ended because of it. */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const stop = new AbortController();
  const handlers = Object.entries(SIGNALS).map(([name, code]) => {
    const handler = (): void => {
      if (stop.signal.aborted) process.exit(code);
      stop.abort(new Interrupted(code));
    };
    process.on(name, handler);
    return () => process.off(name, handler);
  });
  try {
    return await work(stop.signal);
  } catch (error) {
    throw stop.signal.aborted ? stop.signal.reason : error;
  } finally {
    for (const remove of handlers) remove();
  }
}
