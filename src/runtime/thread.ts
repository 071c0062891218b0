/** The thread that runs ONNX Runtime, whose `run` blocks: a worker in Node (`thread-node.ts`) or in the browser (`thread-web.ts`). */
import type { Message, Reply } from "./protocol.ts";

export interface Thread {
  post(message: Message): void;
  /** While the thread is busy, the process does not exit. */
  setBusy(busy: boolean): void;
  end(): Promise<void>;
}

export interface ThreadEvents {
  onReply(reply: Reply): void;
  /** The thread threw or has ended; no more replies come. */
  onEnd(error: Error | undefined): void;
}

export type StartThread = (events: ThreadEvents) => Thread;
