/** Starts the server and ends it without losing replies in progress. */
import type { Server } from "node:http";
import { createAdaptorServer } from "@hono/node-server";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { SetupError } from "../base/errors.ts";

export interface ListenOptions {
  readonly host: string;
  /** 0 for any that is free. */
  readonly port: number;
  /** Milliseconds that a shutdown waits for replies that are being written. */
  readonly graceMs: number;
  /** Milliseconds for the headers, and for a whole request: one that sends a byte now and then is cut off. */
  readonly headersMs?: number;
  readonly requestMs?: number;
}

export interface Listening {
  readonly url: string;
  /** Refuses new connections, waits for running replies, then ends them. */
  close(): Promise<void>;
}

const [HEADERS_MS, REQUEST_MS, IDLE_MS] = [10_000, 60_000, 65_000];
/** How often slow requests are looked for. With Node's default of 30 s they would stay much longer than allowed. */
const CHECK_MS = 2000;
const MAX_CONNECTIONS = 2000;

/** @throws SetupError if the address is in use or not this machine's */
export async function listen(app: OpenAPIHono, options: ListenOptions): Promise<Listening> {
  const { host, port, graceMs, headersMs = HEADERS_MS, requestMs = REQUEST_MS } = options;
  const serverOptions = { connectionsCheckingInterval: Math.min(CHECK_MS, headersMs, requestMs) };
  const server = createAdaptorServer({ fetch: app.fetch, hostname: host, serverOptions }) as Server;
  server.headersTimeout = headersMs;
  server.requestTimeout = requestMs;
  server.keepAliveTimeout = IDLE_MS;
  server.maxConnections = MAX_CONNECTIONS;
  await new Promise<void>((done, fail) => {
    server.once("error", (error: NodeJS.ErrnoException) => fail(refused(error, host, port)));
    server.listen(port, host, done);
  });
  const address = server.address();
  const bound = typeof address === "object" && address ? address.port : port;
  const name = host.includes(":") ? `[${host}]` : host;
  const close = async (): Promise<void> => {
    const closed = new Promise<void>((done) => server.close(() => done()));
    server.closeIdleConnections();
    const timer = setTimeout(() => server.closeAllConnections(), graceMs).unref();
    await closed;
    clearTimeout(timer);
  };
  return { url: `http://${name}:${bound}`, close };
}

function refused(error: NodeJS.ErrnoException, host: string, port: number): Error {
  const reasons: Record<string, string> = {
    EADDRINUSE: `port ${port} is in use. Choose another with --port, or 0 for any`,
    EACCES: `port ${port} needs more rights. Choose one from 1024`,
    EADDRNOTAVAIL: `${host} is not an address of this machine`,
    ENOTFOUND: `${host} is not a known host name`,
  };
  const why = reasons[error.code ?? ""];
  return why ? new SetupError(`serve: ${why}.`) : error;
}
