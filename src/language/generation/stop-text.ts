/**
 * Texts that end a reply where no token does: SEED's template writes `</s>` only at the very end of a conversation, so before
 * that a reply ends where the user's turn would begin.
 */
import { utf8 } from "../../base/bytes.ts";
import type { LmTokenizer } from "../../text/index.ts";

/** Finds stop texts at the end of ids. */
export class StopTexts {
  readonly #tokenizer: LmTokenizer;
  readonly #texts: readonly string[];
  /** A token is at least a byte, and one more may begin before the text. */
  readonly #window: number;

  constructor(tokenizer: LmTokenizer, texts: readonly string[]) {
    this.#tokenizer = tokenizer;
    this.#texts = texts;
    this.#window = 1 + Math.max(...texts.map((text) => utf8(text).length));
  }

  /** Number of ids before the stop text that the last id completes; undefined if it completes none. */
  before(ids: readonly number[]): number | undefined {
    const from = Math.max(0, ids.length - this.#window);
    const tail = ids.slice(from);
    const at = firstStop(this.#tokenizer.decode(tail), this.#texts);
    if (at === undefined) return undefined;
    let kept = 0;
    while (this.#tokenizer.decode(tail.slice(0, kept + 1)).length <= at) kept++;
    return from + kept;
  }
}

/** Streamed text, held back while it may be the beginning of a stop text. */
export class HeldText {
  readonly #texts: readonly string[];
  #held = "";
  stopped = false;

  constructor(texts: readonly string[]) {
    this.#texts = texts;
  }

  /** The text that is final; after a stop text, none. */
  push(text: string): string {
    if (this.stopped) return "";
    const all = this.#held + text;
    const stop = firstStop(all, this.#texts);
    this.stopped = stop !== undefined;
    const end = stop ?? all.length - openEnd(all, this.#texts);
    this.#held = this.stopped ? "" : all.slice(end);
    return all.slice(0, end);
  }

  /** The text that was held back, at the end. */
  end(): string {
    const rest = this.#held;
    this.#held = "";
    return rest;
  }
}

function firstStop(text: string, stops: readonly string[]): number | undefined {
  const found = stops.map((stop) => text.indexOf(stop)).filter((at) => at >= 0);
  return found.length > 0 ? Math.min(...found) : undefined;
}

/** Length of the longest suffix of `text` that a stop text begins with. */
function openEnd(text: string, stops: readonly string[]): number {
  const longest = Math.min(text.length, Math.max(0, ...stops.map((stop) => stop.length - 1)));
  for (let length = longest; length > 0; length--)
    if (stops.some((stop) => stop.startsWith(text.slice(text.length - length)))) return length;
  return 0;
}
