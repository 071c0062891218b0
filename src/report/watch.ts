/** Serves the report of a run in progress: each request reads the run again. Loopback only, two addresses, nothing else. */
import { createHash } from "node:crypto";
import { createServer, type Server } from "node:http";
import { SetupError } from "../base/errors.ts";
import { reason } from "../base/one-line.ts";
import { reportPage } from "./page.ts";
import { readRun } from "./read-run.ts";

export interface Watcher {
  readonly url: string;
  close(): Promise<void>;
}

/** @param port 0 for any that is free. @throws SetupError if the port is taken, or the folder is not a run. */
export async function watchRun(folder: string, port: number): Promise<Watcher> {
  await readRun(folder);
  const server = createServer(async (request, response) => {
    const path = new URL(request.url ?? "/", "http://x").pathname;
    const host = (request.headers.host ?? "").replace(/:\d+$/, "");
    // A page of another site must not read the run through a name that resolves to this machine.
    if (!["127.0.0.1", "localhost", "[::1]"].includes(host)) return void response.writeHead(403).end();
    if (request.method !== "GET" || !["/", "/version"].includes(path)) return void response.writeHead(404).end();
    try {
      const run = await readRun(folder);
      const body = path === "/" ? await reportPage(run, { live: true }) : versionOf(run);
      const type = path === "/" ? "text/html; charset=utf-8" : "text/plain; charset=utf-8";
      response.writeHead(200, { "content-type": type, "cache-control": "no-store" }).end(body);
    } catch (error) {
      response.writeHead(500, { "content-type": "text/plain; charset=utf-8" }).end(reason(error));
    }
  });
  await listen(server, port);
  const address = server.address();
  const bound = typeof address === "object" && address ? address.port : port;
  const close = (): Promise<void> =>
    new Promise((done) => {
      server.close(() => done());
      server.closeAllConnections();
    });
  return { url: `http://127.0.0.1:${bound}/`, close };
}

function versionOf(run: unknown): string {
  return createHash("sha256").update(JSON.stringify(run)).digest("hex");
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((done, fail) => {
    server.once("error", (error: NodeJS.ErrnoException) =>
      fail(
        error.code === "EADDRINUSE"
          ? new SetupError(`port ${port}: already in use. Set port to another, or to 0 for any.`)
          : error,
      ),
    );
    server.listen(port, "127.0.0.1", done);
  });
}
