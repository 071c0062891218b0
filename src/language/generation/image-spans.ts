/**
 * What may come next where pictures are words: after `<img>` exactly 32 codes, then `</img>`; no code anywhere else. The
 * rule is applied to logits before any sampler or beam sees them.
 */
import { CODES_PER_IMAGE } from "../../codes/index.ts";
import { codeOf, type ImageTokens } from "../../text/index.ts";

/**
 * "auto": words, and whole pictures where the model wants one. "force": the reply begins with a picture.
 * "never": words only. "free": anything anywhere, to measure what the model has learned by itself.
 */
export type ImageMode = "auto" | "force" | "never" | "free";

/** Where a sequence stands. */
export interface SpanState {
  /** Codes since `<img>`, or undefined outside of a picture. */
  readonly open: number | undefined;
  /** Whole or begun pictures of the reply. */
  readonly pictures: number;
}

export class ImageSpans {
  readonly #image: ImageTokens;
  readonly #mode: ImageMode;

  constructor(image: ImageTokens, mode: ImageMode) {
    this.#image = image;
    this.#mode = mode;
  }

  /** At the end of a prompt, which may end within a picture. */
  start(prompt: readonly number[]): SpanState {
    let state: SpanState = { open: undefined, pictures: 0 };
    for (const id of prompt) state = this.next(state, id);
    return { open: state.open, pictures: state.open === undefined ? 0 : 1 };
  }

  next({ open, pictures }: SpanState, id: number): SpanState {
    if (id === this.#image.start) return { open: 0, pictures: pictures + 1 };
    if (open === undefined || codeOf(id, this.#image) === undefined) return { open: undefined, pictures };
    return { open: open + 1, pictures };
  }

  /** Sets the logits of what may not come to -Infinity, in place. logits: f32 [V]. */
  restrict({ open, pictures }: SpanState, logits: Float32Array): void {
    const { start, end, first, codes } = this.#image;
    if (this.#mode === "free") return;
    if (open === undefined && this.#mode === "force" && pictures === 0) only(logits, start, start + 1);
    else if (open === undefined) {
      logits.fill(Number.NEGATIVE_INFINITY, first, first + codes);
      logits[end] = Number.NEGATIVE_INFINITY;
      if (this.#mode === "never") logits[start] = Number.NEGATIVE_INFINITY;
    } else if (open < CODES_PER_IMAGE) only(logits, first, first + codes);
    else only(logits, end, end + 1);
  }
}

/** Leaves [from,to) as it is and forbids the rest; logits that are not finite become equal to one another. */
function only(logits: Float32Array, from: number, to: number): void {
  logits.fill(Number.NEGATIVE_INFINITY, 0, from);
  logits.fill(Number.NEGATIVE_INFINITY, to);
  if (!logits.subarray(from, to).some(Number.isFinite)) logits.fill(0, from, to);
}
