/** A worker thread of Node. */
import { Worker } from "node:worker_threads";
import type { StartThread, Thread, ThreadEvents } from "./thread.ts";

export const startThread: StartThread = (events) => workerThread(new URL("./worker-node.js", import.meta.url), events);

/** script: the built `worker-node.js`, as Node runs no TypeScript. */
export function workerThread(script: URL, { onReply, onEnd }: ThreadEvents): Thread {
  const worker = new Worker(script);
  worker.on("message", onReply);
  worker.on("error", onEnd);
  worker.on("exit", () => onEnd(undefined));
  worker.unref();
  return {
    post: (message) => worker.postMessage(message),
    setBusy: (busy) => (busy ? worker.ref() : worker.unref()),
    async end() {
      worker.ref(); // else the process may end before the thread, and whoever awaits this with it
      await worker.terminate();
    },
  };
}
