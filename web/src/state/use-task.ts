/** Work that can be cancelled and whose failure is shown: one at a time for each caller. */
import { useEffect, useRef, useState } from "preact/hooks";

export interface Task {
  readonly running: boolean;
  /** What went wrong last, in words. */
  readonly error: string;
  /** Cancels what runs, then runs `work`. */
  start(work: (signal: AbortSignal) => Promise<void>): Promise<void>;
  stop(): void;
}

export function useTask(): Task {
  const [running, setRunning] = useState(false);
  const [error, setError] = useState("");
  const current = useRef<AbortController | undefined>(undefined);
  const stop = (): void => current.current?.abort();
  useEffect(() => stop, []);
  const start = async (work: (signal: AbortSignal) => Promise<void>): Promise<void> => {
    stop();
    const own = new AbortController();
    current.current = own;
    setRunning(true);
    setError("");
    try {
      await work(own.signal);
    } catch (thrown) {
      if (!own.signal.aborted) setError(thrown instanceof Error ? thrown.message : String(thrown));
    } finally {
      if (current.current === own) setRunning(false);
    }
  };
  return { running, error, start, stop };
}
