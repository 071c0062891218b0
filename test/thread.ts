/** In place of `#thread` in tests: the sources with the built worker, as Node runs no TypeScript. */
import { pathToFileURL } from "node:url";
import { inject } from "vitest";
import type { StartThread } from "../src/runtime/thread.ts";
import { workerThread } from "../src/runtime/thread-node.ts";

export const startThread: StartThread = (events) =>
  workerThread(new URL("dist/runtime/worker-node.js", pathToFileURL(`${inject("build")}/`)), events);
