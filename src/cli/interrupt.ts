/**
 * Ctrl-C: the first one asks the work to end cleanly, the second ends the process. The reader of a pipe that closes it
 * asks the same: exiting at once could abort natively, in a thread that computes.
 */
import { statusLine } from "./status-line.ts";

/** What a command ends with after a signal: 128 plus the signal's number, as shells do. */
export class Interrupted extends Error {
  readonly exitCode: number;
  constructor(exitCode: number) {
    super("interrupted");
    this.exitCode = exitCode;
  }
}

/** The reader of standard output, such as `head`, has seen enough. That is not an error. */
export class ReaderGone extends Error {
  readonly exitCode = 0;
  constructor() {
    super("the reader closed the pipe");
  }
}

/** Work that can be asked to end. */
const running = new Set<AbortController>();

/** Asks all work to end, because nobody reads its results. */
export function readerGone(): void {
  for (const work of running) work.abort(new ReaderGone());
}

const SIGNALS = { SIGINT: 130, SIGTERM: 143 } as const;
type SignalName = keyof typeof SIGNALS;
/** Time after which it is said why the work has not ended yet, ms. */
const PATIENCE = 1000;

/**
 * Runs `work` with a signal that aborts on Ctrl-C. `stopping` is printed if that takes longer than `patience` ms, unless it
 * is empty.
 * @throws Interrupted if the work ended because of it.
 */
export async function interruptible<T>(
  work: (signal: AbortSignal) => Promise<T>,
  stopping = "stopping; Ctrl-C again ends at once",
  patience = PATIENCE,
): Promise<T> {
  const stop = new AbortController();
  running.add(stop);
  let timer: NodeJS.Timeout | undefined;
  const handlers = (Object.keys(SIGNALS) as SignalName[]).map((name) => {
    const handler = (): void => {
      if (stop.signal.aborted) endNow(name);
      statusLine.clear(); // what the terminal shows of Ctrl-C is on that line
      if (stopping) timer = setTimeout(() => statusLine.print(stopping), patience).unref();
      stop.abort(new Interrupted(SIGNALS[name]));
    };
    process.on(name, handler);
    return () => process.off(name, handler);
  });
  try {
    return await work(stop.signal);
  } catch (error) {
    throw stop.signal.aborted ? stop.signal.reason : error;
  } finally {
    clearTimeout(timer);
    running.delete(stop);
    for (const remove of handlers) remove();
  }
}

/** Dies of the signal, as a process that never handled it: exit handlers would take down threads that compute. */
function endNow(name: SignalName): void {
  statusLine.end();
  process.removeAllListeners(name);
  process.kill(process.pid, name);
}
