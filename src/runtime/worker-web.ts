/** The worker in a browser: sessions, and no training. Each user sends a port of its own. */
import type { Message } from "./protocol.ts";
import { server } from "./serve.ts";

// ONNX Runtime loads this script again for its own threads, which have messages of their own.
if (!self.name.startsWith("em-pthread")) {
  self.onmessage = ({ data: port }: MessageEvent<MessagePort>) => {
    const answer = server({});
    port.onmessage = async ({ data }: MessageEvent<Message>) => port.postMessage(await answer(data));
  };
}
