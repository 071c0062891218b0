/** A reply as it comes: words piece by piece, pictures whole. */
import type { Codes } from "../codes/index.ts";
import { UsageError } from "../errors.ts";
import { codeOf, type LmTokenizer, splitReply, TextStream } from "../text/index.ts";
import { type ImageMode, ImageSpans } from "./image-spans.ts";
import { fitPrompt } from "./prompt.ts";
import { Sampler, type SamplingOptions } from "./sampler.ts";
import { HeldText, StopTexts } from "./stop-text.ts";
import type { TokenModel } from "./token-model.ts";

export interface GenerateOptions extends SamplingOptions {
  /** Default 256. */
  readonly maxTokens?: number;
  /** Default "auto" if the tokenizer has tokens for pictures. */
  readonly images?: ImageMode;
  /** Ids that end a reply. Default: the tokenizer's end of text. */
  readonly stop?: readonly number[];
  /** Words that end a reply too; they are not given out. Default: none. */
  readonly stopTexts?: readonly string[];
  /** Tokens that the reply needs at least; a prompt that leaves fewer is too long. Default 1. */
  readonly reserve?: number;
  /** Drop the oldest tokens of a prompt that is too long. Default false: it is an error. */
  readonly truncate?: boolean;
  readonly signal?: AbortSignal;
}

export type GenerateEvent =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "image"; readonly codes: Codes }
  /** Tokens of pictures that form none; only with images "free", or at the end of the allowed length. */
  | { readonly kind: "broken"; readonly ids: readonly number[] }
  /** Last of all. `ids`: everything that was said, without the token or the words that stopped it. */
  | { readonly kind: "end"; readonly reason: "stop" | "length"; readonly ids: readonly number[] };

/**
 * Yields what the model says after the prompt. The same seed gives the same reply.
 * @throws InputError if the prompt is longer than the context; the signal's reason when it is aborted
 */
export async function* generate(
  model: TokenModel,
  tokenizer: LmTokenizer,
  prompt: readonly number[],
  options: GenerateOptions = {},
): AsyncGenerator<GenerateEvent, void, undefined> {
  const { maxTokens = 256, signal, stopTexts = [] } = options;
  const { stop, spans, texts, history } = setUp(model, tokenizer, prompt, options);
  const sampler = new Sampler(options);
  const room = Math.min(maxTokens, model.context - history.length);
  const reply = new ReplyStream(tokenizer, stopTexts);
  const said: number[] = [];
  let span = spans?.start(history);
  if (span?.open !== undefined) reply.openedBefore(history.slice(history.length - span.open - 1));
  const state = model.start();
  let next: readonly number[] = history;
  while (said.length < room) {
    signal?.throwIfAborted();
    const [logits] = await state.read([next]);
    if (span) spans!.restrict(span, logits!);
    const id = sampler.next(logits!, history);
    if (stop.has(id)) {
      yield* reply.end();
      yield { kind: "end", reason: "stop", ids: said };
      return;
    }
    if (span) span = spans!.next(span, id);
    history.push(id);
    said.push(id);
    next = [id];
    yield* reply.push(id);
    if (reply.stopped) {
      yield { kind: "end", reason: "stop", ids: said.slice(0, texts!.before(said)) };
      return;
    }
  }
  yield* reply.end();
  yield { kind: "end", reason: "length", ids: said };
}

export interface SetUp {
  readonly stop: ReadonlySet<number>;
  readonly texts: StopTexts | undefined;
  readonly spans: ImageSpans | undefined;
  /** The prompt, cut if need be. */
  readonly history: number[];
}

/** What ends a reply, the rule of pictures if there are any, and the prompt as it fits. Also for beams. */
export function setUp(
  model: TokenModel,
  tokenizer: LmTokenizer,
  prompt: readonly number[],
  options: Pick<GenerateOptions, "stop" | "stopTexts" | "images" | "truncate" | "reserve">,
): SetUp {
  const { stop, stopTexts = [], images, truncate = false, reserve = 1 } = options;
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

/** Turns ids into events: text at once, a picture when it is whole. */
class ReplyStream {
  readonly #tokenizer: LmTokenizer;
  readonly #held: HeldText;
  #text: TextStream;
  /** Tokens of a picture that is not whole yet. */
  #picture: number[] = [];

  constructor(tokenizer: LmTokenizer, stopTexts: readonly string[]) {
    this.#tokenizer = tokenizer;
    this.#held = new HeldText(stopTexts);
    this.#text = new TextStream(tokenizer);
  }

  /** A stop text was said. */
  get stopped(): boolean {
    return this.#held.stopped;
  }

  /** The prompt ended within a picture. */
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
    for (const part of splitReply(ids, this.#tokenizer.image!)) if (part.kind !== "text") yield part;
  }
}
