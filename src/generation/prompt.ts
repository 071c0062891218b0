/** Prompts that fit the context of a model. */
import { InputError } from "../errors.ts";
import type { ImageTokens } from "../text/index.ts";

export interface FitOptions {
  readonly context: number;
  readonly truncate: boolean;
  readonly image: ImageTokens | undefined;
}

/** Room that is left for a reply when a prompt is cut: at most this share of the context. */
const REPLY_SHARE = 0.25;

/**
 * A copy of the prompt that leaves room for at least one token. Cutting keeps the first token (which begins the text)
 * and the newest ones, and never leaves a part of a picture.
 * @throws InputError with both lengths, or for an empty prompt
 */
export function fitPrompt(prompt: readonly number[], { context, truncate, image }: FitOptions): number[] {
  if (prompt.length === 0) throw new InputError("prompt: expected at least one token, got none. Write something.");
  if (prompt.length < context) return [...prompt];
  if (!truncate)
    throw new InputError(
      `prompt: expected at most ${context - 1} tokens, got ${prompt.length}. Shorten it or let it be cut (--truncate).`,
    );
  let from = prompt.length - Math.floor(context * (1 - REPLY_SHARE)) + 1;
  if (image) {
    const [nextStart, nextEnd] = [prompt.indexOf(image.start, from), prompt.indexOf(image.end, from)];
    if (nextEnd >= 0 && (nextStart < 0 || nextEnd < nextStart)) from = nextEnd + 1;
  }
  return [prompt[0]!, ...prompt.slice(from)];
}
