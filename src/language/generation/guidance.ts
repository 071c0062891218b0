/**
 * Classifier-free guidance over codes: the model also reads a prompt that does not ask for this picture, and the codes move
 * away from what it would draw. Ho & Salimans 2022; for language models Sanchez et al. 2023.
 */
import { InputError, UsageError } from "../../base/errors.ts";
import { codeOf, type ImageTokens } from "../../text/index.ts";
import type { TokenModel, TokenState } from "./token-model.ts";

export interface GuidanceOptions {
  /** 1 means no guidance; more follows the prompt more closely. */
  readonly scale: number;
  /** The prompt to move away from: an empty request, or a request for what is not wanted. */
  readonly without: readonly number[];
  readonly image: ImageTokens;
}

/**
 * The model with logits l = u + scale (c - u) for image codes, c with the prompt and u without it; other tokens are not
 * changed. Costs two forward passes per token.
 * @throws UsageError for a scale that is not finite; InputError, when read, if `without` does not leave room for the reply
 */
export function guidedModel(model: TokenModel, options: GuidanceOptions): TokenModel {
  const { scale } = options;
  if (!Number.isFinite(scale)) throw new UsageError(`guidance: expected a number, got ${scale}.`);
  return { context: model.context, start: () => new GuidedState(model, options) };
}

class GuidedState implements TokenState {
  readonly #context: number;
  readonly #options: GuidanceOptions;
  readonly #with: TokenState;
  readonly #without: TokenState;
  #length = 0;

  constructor(model: TokenModel, options: GuidanceOptions) {
    this.#context = model.context;
    this.#options = options;
    this.#with = model.start();
    this.#without = model.start();
  }

  async read(tokens: readonly (readonly number[])[], parents?: readonly number[]): Promise<Float32Array[]> {
    const { scale, without, image } = this.#options;
    const others = this.#length === 0 ? tokens.map(() => without) : tokens;
    this.#length += others[0]?.length ?? 0;
    if (this.#length > this.#context)
      throw new InputError(
        `guidance: expected a negative prompt that leaves room for a picture in ${this.#context} tokens, got ${without.length} tokens. Shorten it.`,
      );
    const conditional = await this.#with.read(tokens, parents);
    const unconditional = await this.#without.read(others, parents);
    for (const [i, logits] of conditional.entries()) {
      const last = tokens[i]?.at(-1) ?? image.end;
      if (last !== image.start && codeOf(last, image) === undefined) continue;
      const [from, to] = [image.first, image.first + image.codes];
      const plain = unconditional[i]?.subarray(from, to);
      plain?.forEach((u, code) => {
        const c = logits[from + code] ?? u;
        logits[from + code] = u + scale * (c - u);
      });
    }
    return conditional;
  }
}
