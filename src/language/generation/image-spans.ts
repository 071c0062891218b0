/**
 * Which tokens are allowed next: after `<img>` exactly 32 codes, then `</img>`; no codes anywhere else. The rule is applied to
 * the logits before any sampler or beam sees them.
 */
import { CODES_PER_IMAGE } from "../../codes/index.ts";
import { codeOf, type ImageTokens } from "../../text/index.ts";

/**
 * "auto": text, and whole pictures where the model begins one. "force": the reply begins with a picture. "never": text only.
 * "free": anything anywhere, to measure what the model has learned by itself.
 */
export type ImageMode = "auto" | "force" | "never" | "free";

/** The state of a sequence. */
export interface SpanState {
  /** Codes since `<img>`; undefined outside a picture. */
  readonly open: number | undefined;
  /** Pictures of the reply, including one that has begun. */
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

  /** Sets the logits of forbidden tokens to -Infinity, in place. logits: f32 [V]. */
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

/** Allows [from,to) only; if none of its logits is finite, all of them become 0. */
function only(logits: Float32Array, from: number, to: number): void {
  logits.fill(Number.NEGATIVE_INFINITY, 0, from);
  logits.fill(Number.NEGATIVE_INFINITY, to);
  if (!logits.subarray(from, to).some(Number.isFinite)) logits.fill(0, from, to);
}
