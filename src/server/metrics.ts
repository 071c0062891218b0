/** Prometheus metrics of one server. */
import { performance } from "node:perf_hooks";
import type { MiddlewareHandler } from "hono";
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { ModelPool } from "./model-pool.ts";

export interface Metrics {
  readonly contentType: string;
  readonly observe: MiddlewareHandler;
  text(): Promise<string>;
}

/** @param routes paths that are counted by name; all others count as "other", so that unknown paths cannot grow the list */
export function serverMetrics(pool: ModelPool, routes: ReadonlySet<string>): Metrics {
  const register = new Registry();
  collectDefaultMetrics({ register });
  const labelNames = ["route", "status"] as const;
  const requests = new Counter({
    name: "seedling_requests_total",
    help: "Requests answered, by route and status.",
    labelNames,
    registers: [register],
  });
  const seconds = new Histogram({
    name: "seedling_request_seconds",
    help: "Time from request to the start of the reply.",
    labelNames: ["route"],
    buckets: [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers: [register],
  });
  new Gauge({
    name: "seedling_waiting",
    help: "Requests that wait or are being written, by model.",
    labelNames: ["model"],
    registers: [register],
    async collect() {
      this.reset();
      for (const [model, count] of await pool.waiting()) this.set({ model }, count);
    },
  });
  return {
    contentType: register.contentType,
    text: () => register.metrics(),
    observe: async (c, next) => {
      const begun = performance.now();
      await next();
      const route = routes.has(c.req.path) ? c.req.path : "other";
      requests.inc({ route, status: String(c.res.status) });
      seconds.observe({ route }, (performance.now() - begun) / 1000);
    },
  };
}
