/** Replies as they grow: text piece by piece, pictures whole. */

import { UsageError } from "../../base/errors.ts";
import { given, item } from "../../base/item.ts";
import type { Codes } from "../../codes/index.ts";
import { codeOf, type LmTokenizer, splitReply, TextStream } from "../../text/index.ts";
import { type ImageMode, ImageSpans, type SpanState } from "./image-spans.ts";
import { fitPrompt } from "./prompt.ts";
import { logLikelihood, Sampler, type SamplingOptions } from "./sampler.ts";
import { HeldText, StopTexts } from "./stop-text.ts";
import type { TokenModel } from "./token-model.ts";

export interface GenerateOptions extends SamplingOptions {
  /** Longest reply, at least 1; less if the context ends before. Default 256. */
  readonly maxTokens?: number;
  /** Default "auto" if the tokenizer has image tokens. */
  readonly images?: ImageMode;
  /** Ids that end a reply. Default: the tokenizer's end of text. */
  readonly stop?: readonly number[];
  /** Texts that end a reply too, and are not part of it. Default: none. */
  readonly stopTexts?: readonly string[];
  /** Least tokens left for the reply; a prompt that leaves fewer is too long. Default 1. */
  readonly reserve?: number;
  /** Also computes how likely the reply was, which is one more pass over the logits per token. Default false. */
  readonly likelihood?: boolean;
  /** Drops the oldest tokens of a prompt that is too long. Default false: an error. */
  readonly truncate?: boolean;
  /** Called with each token as it is chosen, those of pictures included. */
  readonly onToken?: (id: number) => void;
  readonly signal?: AbortSignal;
}

export type GenerateEvent =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "image"; readonly codes: Codes }
  /** Image tokens that do not form a picture; only with images "free", or if the reply ended within a picture. */
  | { readonly kind: "broken"; readonly ids: readonly number[] }
  /**
   * Comes last. `ids`: the whole reply, without the token or text that stopped it. `logLikelihood`, if asked for: of all
   * tokens including the one that stopped it, in nats, among the allowed tokens and before temperature and penalty.
   */
  | {
      readonly kind: "end";
      readonly reason: "stop" | "length";
      readonly ids: readonly number[];
      readonly logLikelihood?: number;
    };

/**
 * Yields the reply to the prompt. The same seed gives the same reply.
 * @throws InputError if the prompt is longer than the context; the signal's reason when it is aborted
 */
export async function* generate(
  model: TokenModel,
  tokenizer: LmTokenizer,
  prompt: readonly number[],
  options: GenerateOptions = {},
): AsyncGenerator<GenerateEvent, void, undefined> {
  const reply = new GrowingReply(model, tokenizer, prompt, options);
  const state = model.start();
  while (!reply.ended) {
    options.signal?.throwIfAborted();
    yield* reply.take(item(await state.read([reply.unread]), 0));
  }
}

/** The reply to one prompt, one token at a time. */
export class GrowingReply {
  /** Tokens that the model has not read yet: the prompt, then each new token. */
  unread: readonly number[];
  ended = false;
  readonly #setUp: SetUp;
  readonly #room: number;
  readonly #sampler: Sampler;
  readonly #stream: ReplyStream;
  readonly #said: number[] = [];
  readonly #onToken: GenerateOptions["onToken"];
  #logLikelihood: number | undefined;
  #span: SpanState | undefined;

  /** @throws as `generate` */
  constructor(model: TokenModel, tokenizer: LmTokenizer, prompt: readonly number[], options: GenerateOptions) {
    const { maxTokens = 256, stopTexts = [], likelihood = false } = options;
    this.#setUp = setUp(model, tokenizer, prompt, options);
    const { history, spans } = this.#setUp;
    this.#room = Math.min(maxTokens, model.context - history.length);
    this.#sampler = new Sampler(options);
    this.#onToken = options.onToken;
    this.#stream = new ReplyStream(tokenizer, stopTexts);
    if (likelihood) this.#logLikelihood = 0;
    this.#span = spans?.start(history);
    if (this.#span?.open !== undefined) this.#stream.openedBefore(history.slice(history.length - this.#span.open - 1));
    this.unread = [...history];
  }

  /** Chooses the next token. logits: f32 [V] after the unread tokens; those of forbidden tokens are overwritten. */
  *take(logits: Float32Array): Generator<GenerateEvent, void, undefined> {
    const { stop, spans, texts, history } = this.#setUp;
    const said = this.#said;
    if (this.#span) spans?.restrict(this.#span, logits);
    const id = this.#sampler.next(logits, history);
    if (this.#logLikelihood !== undefined) this.#logLikelihood += logLikelihood(logits, id);
    if (stop.has(id)) {
      yield* this.#stream.end();
      return yield this.#end("stop", said);
    }
    if (this.#span) this.#span = spans?.next(this.#span, id);
    history.push(id);
    said.push(id);
    this.#onToken?.(id);
    this.unread = [id];
    yield* this.#stream.push(id);
    if (this.#stream.stopped) return yield this.#end("stop", said.slice(0, texts?.before(said)));
    if (said.length < this.#room) return;
    yield* this.#stream.end();
    yield this.#end("length", said);
  }

  #end(reason: "stop" | "length", ids: readonly number[]): GenerateEvent {
    this.ended = true;
    return { kind: "end", reason, ids, logLikelihood: this.#logLikelihood };
  }
}

export interface SetUp {
  readonly stop: ReadonlySet<number>;
  readonly texts: StopTexts | undefined;
  readonly spans: ImageSpans | undefined;
  /** The prompt, truncated if need be. */
  readonly history: number[];
}

/** What ends a reply, the rules of image tokens if there are any, and the prompt as it fits. Also for beams. */
export function setUp(
  model: TokenModel,
  tokenizer: LmTokenizer,
  prompt: readonly number[],
  options: Pick<GenerateOptions, "stop" | "stopTexts" | "images" | "truncate" | "reserve" | "maxTokens">,
): SetUp {
  const { stop, stopTexts = [], images, truncate = false, reserve = 1, maxTokens = 1 } = options;
  if (!(maxTokens >= 1)) throw new UsageError(`generate: expected maxTokens of at least 1, got ${maxTokens}.`);
  const { image, eos } = tokenizer;
  if (images === "force") tokenizer.expectImageTokens();
  const ids = stop ?? (eos === undefined ? [] : [eos]);
  if (stop?.length === 0)
    throw new UsageError("generate: expected at least one stop token, got none. Leave the option out.");
  return {
    stop: new Set(ids),
    texts: stopTexts.length > 0 ? new StopTexts(tokenizer, stopTexts) : undefined,
    spans: image && new ImageSpans(image, images ?? "auto"),
    history: fitPrompt(prompt, { context: model.context, truncate, image, reserve }),
  };
}

/** Turns ids into events: text at once, pictures when they are whole. */
class ReplyStream {
  readonly #tokenizer: LmTokenizer;
  readonly #held: HeldText;
  #text: TextStream;
  /** Tokens of a picture that is not complete. */
  #picture: number[] = [];

  constructor(tokenizer: LmTokenizer, stopTexts: readonly string[]) {
    this.#tokenizer = tokenizer;
    this.#held = new HeldText(stopTexts);
    this.#text = new TextStream(tokenizer);
  }

  /** Whether a stop text was generated. */
  get stopped(): boolean {
    return this.#held.stopped;
  }

  /** Called if the prompt ended within a picture. */
  openedBefore(ids: readonly number[]): void {
    this.#picture = [...ids];
  }

  *push(id: number): Generator<GenerateEvent> {
    const { image } = this.#tokenizer;
    const ofPicture = image && (id === image.start || id === image.end || codeOf(id, image) !== undefined);
    if (!ofPicture) {
      if (this.#picture.length > 0) yield* this.#flushPicture();
      const text = this.#held.push(this.#text.push(id));
      if (text !== "") yield { kind: "text", text };
      return;
    }
    if (this.#picture.length === 0) yield* this.#flushText();
    if (id === image.start && this.#picture.length > 0) yield* this.#flushPicture();
    this.#picture.push(id);
    if (id === image.end) yield* this.#flushPicture();
  }

  *end(): Generator<GenerateEvent> {
    yield* this.#flushPicture();
    yield* this.#flushText();
  }

  *#flushText(): Generator<GenerateEvent> {
    const text = this.#held.push(this.#text.end()) + this.#held.end();
    this.#text = new TextStream(this.#tokenizer);
    if (text !== "") yield { kind: "text", text };
  }

  *#flushPicture(): Generator<GenerateEvent> {
    const ids = this.#picture;
    this.#picture = [];
    if (ids.length === 0) return;
    for (const part of splitReply(ids, given(this.#tokenizer.image, "image tokens")))
      if (part.kind !== "text") yield part;
  }
}
