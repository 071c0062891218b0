/** How long a request may take: until the client leaves, or the server's deadline. */
import type { Context } from "hono";
import { DeadlineError } from "./api-error.ts";

export interface Scope {
  readonly signal: AbortSignal;
  /** Ends the deadline; call it when the reply is complete. */
  end(): void;
}

/** @param deadlineMs 0 for none */
export function requestScope(c: Context, deadlineMs: number): Scope {
  const stop = new AbortController();
  const timer =
    deadlineMs > 0 ? setTimeout(() => stop.abort(new DeadlineError(deadlineMs)), deadlineMs).unref() : undefined;
  const left = (): void => stop.abort(new DOMException("the client disconnected", "AbortError"));
  const { signal } = c.req.raw;
  if (signal.aborted) left();
  else signal.addEventListener("abort", left, { once: true });
  return {
    signal: stop.signal,
    end: () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", left);
    },
  };
}
