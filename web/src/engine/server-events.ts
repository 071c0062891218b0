/** Server-sent events of a response, parsed. */
import { EngineError } from "./engine.ts";

/** @throws EngineError for an event that carries an error */
export async function* serverEvents(response: Response): AsyncGenerator<unknown, void, undefined> {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  if (!reader) return;
  let rest = "";
  try {
    while (true) {
      const { done, value } = await reader.read();
      if (done) return;
      const lines = (rest + value).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        if (!line.startsWith("data:")) continue;
        const text = line.slice(5).trim();
        if (text === "[DONE]") return;
        const event = JSON.parse(text) as { error?: { message?: string } };
        if (event.error) throw new EngineError(event.error.message ?? "The server failed.");
        yield event;
      }
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}
