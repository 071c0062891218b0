/** A conversation: text as it comes, pictures whole and decoded. */
import { item } from "../base/item.ts";
import { withDefaults } from "../base/with-defaults.ts";
import type { RgbImage } from "../image/index.ts";
import type { SeedTokenizer } from "../image-tokenizer/seed-tokenizer.ts";
import { type ChatModel, PICTURE_TOKENS, SAMPLING } from "./chat-model.ts";
import { encodeTurns, fitTurns } from "./conversations.ts";
import { type Drawing, type DrawnCodes, decodingOptions } from "./drawing.ts";
import { MAX_PROMPT } from "./drawing-note.ts";
import type { ChatEvent, ChatOptions, DrawOptions, Turn } from "./options.ts";

/** Makes a drawing of what was drawn for a prompt with these options. */
export type MakeDrawing = (
  prompt: string,
  drawn: DrawnCodes,
  image: RgbImage,
  options: Omit<DrawOptions, "images">,
) => Drawing;

/** See `SeedLanguageModel.chat`. */
export async function* chat(
  model: ChatModel,
  tokenizer: SeedTokenizer,
  turns: readonly Turn[],
  { makeDrawing, ...options }: ChatOptions & { readonly makeDrawing: MakeDrawing },
): AsyncGenerator<ChatEvent, void, undefined> {
  const { seed = 0, truncate = false, images = "auto", signal } = options;
  const [encoded = []] = await encodeTurns(tokenizer, [turns], { batch: 1, signal });
  const reserve = images === "force" ? PICTURE_TOKENS : truncate ? model.room : 1;
  const mostTokens = truncate ? model.context - reserve : Number.POSITIVE_INFINITY;
  const { prompt, truncated } = fitTurns(model, encoded, mostTokens);
  if (truncated > 0) yield { kind: "truncated", turns: truncated };
  let pictures = 0;
  for await (const event of model.reply(prompt, { ...withDefaults(SAMPLING, options), images, reserve })) {
    if (event.kind === "image") {
      const drawn = { codes: event.codes, text: "", seed: seed + pictures++ };
      const images = await tokenizer.decode([drawn.codes], { ...decodingOptions(options), seed: drawn.seed });
      yield { kind: "image", drawing: makeDrawing(lastText(turns), drawn, item(images, 0), options) };
    } else if (event.kind === "end") {
      const { reason, ids } = event;
      yield { kind: "end", reason, turn: model.turn(ids), promptTokens: prompt.length, tokens: ids.length };
    } else yield event;
  }
}

/** The user's last text: the prompt of what is drawn. */
function lastText(turns: readonly Turn[]): string {
  const parts = turns.at(-1)?.parts ?? [];
  return parts
    .filter((part) => typeof part === "string")
    .join(" ")
    .slice(0, MAX_PROMPT);
}
