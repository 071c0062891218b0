/** Prompts that fit the context of a model. */
import { InputError } from "../../base/errors.ts";
import type { ImageTokens } from "../../text/index.ts";

export interface FitOptions {
  readonly context: number;
  readonly truncate: boolean;
  readonly image: ImageTokens | undefined;
  /** Least tokens left for the reply. Default 1. */
  readonly reserve?: number;
}

/** A prompt is truncated so that this share of the context is left for the reply. */
const REPLY_SHARE = 0.25;

/**
 * A copy of the prompt that leaves room for the reply. Truncation keeps the first token (the beginning of text) and the
 * last ones, and never leaves a part of a picture.
 * @throws InputError with both lengths, or for an empty prompt
 */
export function fitPrompt(prompt: readonly number[], { context, truncate, image, reserve = 1 }: FitOptions): number[] {
  if (prompt.length === 0) throw new InputError("prompt: expected at least one token, got none. Write something.");
  const most = context - reserve;
  if (prompt.length <= most) return [...prompt];
  if (!truncate || most < 1)
    throw new InputError(
      `prompt: expected at most ${most} tokens, got ${prompt.length}. Shorten it, or set truncate to cut its start.`,
    );
  let from = prompt.length - Math.min(most, Math.floor(context * (1 - REPLY_SHARE))) + 1;
  if (image) {
    const [nextStart, nextEnd] = [prompt.indexOf(image.start, from), prompt.indexOf(image.end, from)];
    if (nextEnd >= 0 && (nextStart < 0 || nextEnd < nextStart)) from = nextEnd + 1;
  }
  return [...prompt.slice(0, 1), ...prompt.slice(from)];
}
