/** Drawings: prompts to codes, and a drawn picture that records how it was made. */
import { InputError, UsageError } from "../base/errors.ts";
import { withDefaults } from "../base/with-defaults.ts";
import type { Codes } from "../codes/index.ts";
import type { RgbImage } from "../image/index.ts";
import type { DecoderOptions } from "../image-decoder/decoder.ts";
import { codeOf } from "../text/index.ts";
import { type ChatModel, collect, PICTURE_TOKENS, SAMPLING, textOf } from "./chat-model.ts";
import { type DrawingNote, drawingPng, MAX_PROMPT } from "./drawing-note.ts";
import { type GenerateEvent, guidedModel, type TokenModel } from "./generation/index.ts";
import type { DrawOptions } from "./options.ts";

/** A picture as the language model draws it, not yet decoded. */
export interface DrawnCodes {
  readonly codes: Codes;
  /** Text that the model wrote besides the picture. */
  readonly text: string;
  /** For these codes, and for the noise they are decoded from. */
  readonly seed: number;
}

/** A decoded drawing. */
export class Drawing implements DrawnCodes {
  readonly codes: Codes;
  readonly text: string;
  readonly seed: number;
  readonly image: RgbImage;
  readonly #note: () => Promise<DrawingNote>;

  constructor({ codes, text, seed }: DrawnCodes, image: RgbImage, note: () => Promise<DrawingNote>) {
    this.codes = codes;
    this.text = text;
    this.seed = seed;
    this.image = image;
    this.#note = note;
  }

  /** How it was made: prompt, codes, settings, and hashes of the models, whose files are read once for that. */
  note(): Promise<DrawingNote> {
    return this.#note();
  }

  /** A PNG file that carries the note, from which `seedling draw --from` makes the same picture again. */
  async png(): Promise<Uint8Array> {
    return drawingPng(this.image, await this.note());
  }
}

/** See `SeedLanguageModel.drawCodes`. */
export async function drawCodes(chat: ChatModel, prompt: string, options: DrawOptions): Promise<DrawnCodes[]> {
  const { count = 1, beams = 1, seed = 0, images = "force", maxTokens = 256, onCodes, onCode } = options;
  if (!Number.isInteger(count) || count < 1) throw new UsageError(`draw: expected a count from 1, got ${count}.`);
  if (beams > 1 && count > beams)
    throw new UsageError(`draw: expected at least ${count} beams for ${count} pictures, got ${beams}.`);
  const ids = promptIds(chat, prompt, "a prompt");
  if (ids === undefined) throw new UsageError("draw: expected a prompt, got none. Say what to draw.");
  const settings = {
    ...withDefaults(SAMPLING, options),
    model: guided(chat, options),
    images,
    reserve: PICTURE_TOKENS,
    maxTokens: images === "auto" ? maxTokens : PICTURE_TOKENS,
  };
  if (beams > 1) {
    const replies = await chat.bestReplies(ids, settings);
    onCodes?.(count, count);
    return replies.slice(0, count).map((events, i) => firstPicture(events, seed + i));
  }
  const drawn: DrawnCodes[] = [];
  for (let i = 0; i < count; i++) {
    const onToken = onCode && codeCollector(chat, onCode);
    const events = await collect(chat.reply(ids, { ...settings, onToken, seed: seed + i }));
    drawn.push(firstPicture(events, seed + i));
    onCodes?.(drawn.length, count);
  }
  return drawn;
}

/** The part of the options that decoding takes. */
export function decodingOptions({
  steps,
  guidanceScale,
  onStep,
  signal,
}: Pick<DecoderOptions, "steps" | "guidanceScale" | "onStep" | "signal">): DecoderOptions {
  // One at a time, so that a picture is the same bit for bit, whatever is decoded with it.
  return { batch: 1, steps, guidanceScale, onStep, signal };
}

/** Hands out the codes so far with each new one. */
function codeCollector(chat: ChatModel, onCode: (codes: Codes) => void): (id: number) => void {
  const image = chat.tokenizer.expectImageTokens();
  const codes: number[] = [];
  return (id) => {
    const code = codeOf(id, image);
    if (code === undefined) return;
    codes.push(code);
    onCode([...codes]);
  };
}

function promptIds(chat: ChatModel, prompt: string, what: string): number[] | undefined {
  if (prompt.trim() === "") return undefined;
  if (prompt.length > MAX_PROMPT)
    throw new InputError(`draw: expected ${what} of at most ${MAX_PROMPT} letters, got ${prompt.length}. Shorten it.`);
  return requestIds(chat, prompt);
}

function requestIds(chat: ChatModel, prompt: string): number[] {
  return chat.prompt([{ role: "user", parts: [chat.request(prompt)] }]);
}

function guided(chat: ChatModel, { guidance = 1, negative = "" }: DrawOptions): TokenModel {
  if (guidance === 1) return chat.model;
  const without = promptIds(chat, negative, "a negative prompt") ?? requestIds(chat, "");
  return guidedModel(chat.model, { scale: guidance, without, image: chat.tokenizer.expectImageTokens() });
}

function firstPicture(events: readonly GenerateEvent[], seed: number): DrawnCodes {
  const picture = events.find((event) => event.kind === "image");
  const text = textOf(events);
  if (picture) return { codes: picture.codes, text, seed };
  throw new InputError(`draw: expected a picture, got ${JSON.stringify(text.slice(0, 60))}. Use images "force".`);
}
