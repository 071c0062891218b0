/** The worker in a browser: sessions, and no training. */
import type { Message } from "./protocol.ts";
import { server } from "./serve.ts";

// ONNX Runtime loads this script again for its own threads, which have messages of their own.
if (!self.name.startsWith("em-pthread")) {
  const answer = server({});
  self.onmessage = async ({ data }: MessageEvent<Message>) => self.postMessage(await answer(data));
}
