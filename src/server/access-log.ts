/** One JSON object for each request. Bodies, keys and query strings are not logged. */
import { performance } from "node:perf_hooks";
import type { MiddlewareHandler } from "hono";

export interface AccessLine {
  readonly time: string;
  readonly method: string;
  readonly path: string;
  readonly status: number;
  /** Until the reply began. */
  readonly ms: number;
  readonly error?: string;
}

export function accessLog(write: (line: AccessLine) => void): MiddlewareHandler {
  return async (c, next) => {
    const begun = performance.now();
    await next();
    write({
      time: new Date().toISOString(),
      method: c.req.method,
      path: c.req.path.slice(0, 200),
      status: c.res.status,
      ms: Math.round(performance.now() - begun),
      error: c.error ? c.error.message.slice(0, 300) : undefined,
    });
  };
}
