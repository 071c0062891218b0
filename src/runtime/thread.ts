/** The thread that runs ONNX Runtime, whose `run` blocks: a worker of Node (`thread-node.ts`) or of the browser (`thread-web.ts`). */
import type { Message, Reply } from "./protocol.ts";

export interface Thread {
  post(message: Message): void;
  /** While it is busy the process waits for it. */
  setBusy(busy: boolean): void;
  end(): Promise<void>;
}

export interface ThreadEvents {
  onReply(reply: Reply): void;
  /** The thread threw or has ended; nothing comes any more. */
  onEnd(error: Error | undefined): void;
}

export type StartThread = (events: ThreadEvents) => Thread;
