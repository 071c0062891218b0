/** Continuations of plain sequences of pictures and text, as language models are evaluated: no chat template. */
import { UsageError } from "../base/errors.ts";
import { withDefaults } from "../base/with-defaults.ts";
import type { SeedTokenizer } from "../image-tokenizer/seed-tokenizer.ts";
import { encodePieces } from "../text/index.ts";
import { type ChatModel, SAMPLING } from "./chat-model.ts";
import { encodeTurns } from "./conversations.ts";
import type { Reply, RespondOptions, Turn } from "./options.ts";

/** See `SeedLanguageModel.complete`. */
export async function complete(
  chat: ChatModel,
  tokenizer: SeedTokenizer,
  sequences: readonly Turn["parts"][],
  options: RespondOptions,
): Promise<Reply[]> {
  const { images = "auto", batch = 16, signal } = options;
  const empty = sequences.findIndex((parts) => parts.length === 0);
  if (empty >= 0) throw new UsageError(`complete: expected text or a picture in sequence ${empty}, got nothing.`);
  const turns = sequences.map((parts): Turn[] => [{ role: "user", parts }]);
  const { bos } = chat.tokenizer;
  const prompts = (await encodeTurns(tokenizer, turns, { batch, signal })).map(([turn]) => {
    const pieces = turn?.parts.map((part) => (typeof part === "string" ? { text: part } : part)) ?? [];
    return [...(bos === undefined ? [] : [bos]), ...encodePieces(chat.tokenizer, pieces).ids];
  });
  return chat.replies(prompts, { ...withDefaults(SAMPLING, options), images, batch });
}
