/**
 * Where ONNX Runtime runs in a browser: in a worker that all runtimes of a page share, so that there is one
 * WebAssembly heap; and for a caller that is a worker itself, in its own thread, which needs no second script.
 */
import type { Message, Reply } from "./protocol.ts";
import type { StartThread, ThreadEvents } from "./thread.ts";

export const startThread: StartThread = (events) =>
  "document" in globalThis ? sharedWorker(events) : sameThread(events);

let worker: Worker | undefined;
const users = new Set<ThreadEvents>();

/** Each user has a port of its own to the worker, which ends with the last of them. */
const sharedWorker: StartThread = (events) => {
  worker ??= start();
  users.add(events);
  const { port1: port, port2: theirs } = new MessageChannel();
  worker.postMessage(theirs, [theirs]);
  port.onmessage = ({ data }: MessageEvent<Reply>) => events.onReply(data);
  return {
    post: (message) => port.postMessage(message),
    setBusy: () => {},
    async end() {
      port.postMessage({ id: 0, request: { kind: "close" } } satisfies Message);
      users.delete(events);
      if (users.size > 0) return;
      worker?.terminate();
      worker = undefined;
    },
  };
};

function start(): Worker {
  // Written out in one expression, as bundlers look for it.
  const started = new Worker(new URL("./worker-web.js", import.meta.url), { type: "module", name: "seedling" });
  started.onerror = ({ message }) => {
    for (const { onEnd } of users) onEnd(new Error(message || "the worker could not be loaded"));
    users.clear();
    if (worker === started) worker = undefined;
  };
  return started;
}

/** Longest time without handling the caller's own messages, such as a cancellation, ms. */
const BREATH_MS = 20;

/** Lets waiting messages be handled: awaiting a promise alone does not, and a timer would take 4 ms. */
function breath(): Promise<void> {
  const { port1, port2 } = new MessageChannel();
  return new Promise((done) => {
    port1.onmessage = () => {
      port1.close();
      done();
    };
    port2.postMessage(undefined);
  });
}

const sameThread: StartThread = ({ onReply, onEnd }) => {
  let breathed = performance.now();
  const answer = import("./serve.ts").then(({ server }) => server({}));
  answer.catch(onEnd);
  let ended = false;
  return {
    async post(message) {
      const own = structuredClone(message); // as between threads: the caller may use its arrays again
      const reply = await (await answer)(own);
      if (performance.now() - breathed > BREATH_MS) {
        await breath();
        breathed = performance.now();
      }
      if (!ended) onReply(reply);
    },
    setBusy: () => {},
    async end() {
      ended = true;
      await (await answer)({ id: 0, request: { kind: "close" } });
    },
  };
};
