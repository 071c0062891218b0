/** A Node worker thread. */
import { Worker } from "node:worker_threads";
import type { StartThread, Thread, ThreadEvents } from "./thread.ts";

export const startThread: StartThread = (events) => workerThread(new URL("./worker-node.js", import.meta.url), events);

/**
 * script: the built `worker-node.js`, as Node runs no TypeScript. Its first message says that ONNX Runtime is loaded: Node
 * aborts the process if a thread ends, or the process with it, in the middle of that.
 */
export function workerThread(script: URL, { onReply, onEnd }: ThreadEvents): Thread {
  const worker = new Worker(script);
  let [busy, loading] = [false, true];
  const setBusy = (now: boolean): void => {
    busy = now;
    if (busy || loading) worker.ref();
    else worker.unref();
  };
  const loaded = new Promise<void>((resolve) => {
    worker.once("message", () => {
      worker.on("message", onReply);
      loading = false;
      setBusy(busy);
      resolve();
    });
    worker.once("exit", () => resolve());
  });
  worker.on("error", onEnd);
  worker.on("exit", () => onEnd(undefined));
  return {
    post: (message) => worker.postMessage(message),
    setBusy,
    async end() {
      worker.ref(); // otherwise the process may exit before the thread ends, and with it whoever awaits this
      await loaded;
      worker.ref();
      await worker.terminate();
    },
  };
}
