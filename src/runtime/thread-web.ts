/** A worker of the browser. */
import type { StartThread } from "./thread.ts";

export const startThread: StartThread = ({ onReply, onEnd }) => {
  // Written out in one expression, as bundlers look for it.
  const worker = new Worker(new URL("./worker-web.js", import.meta.url), { type: "module" });
  worker.onmessage = ({ data }) => onReply(data);
  worker.onerror = ({ message }) => onEnd(new Error(message || "the worker could not be loaded"));
  return {
    post: (message) => worker.postMessage(message),
    setBusy: () => {},
    end: async () => worker.terminate(),
  };
};
