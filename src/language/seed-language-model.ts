/** A language model that sees and draws, as a library: codes of pictures are words among its words. */
import { InputError, UsageError } from "../base/errors.ts";
import { VERSION } from "../base/version.ts";
import { type Codes, checkCodes } from "../codes/index.ts";
import type { RgbImage } from "../image/index.ts";
import {
  type BatchOptions,
  BUNDLED_MODEL,
  type ImageSource,
  type LoadOptions,
  type PaintOptions,
  SeedTokenizer,
} from "../image-tokenizer/seed-tokenizer.ts";
import { modelFolder } from "../io/hub/index.ts";
import {
  type ChatTemplate,
  type ChatTurn,
  encodeChat,
  expectSameCodes,
  fillRequest,
  type LmManifest,
  readLmManifest,
  splitReply,
  templateOf,
} from "../text/index.ts";
import { downloadOptions, runtimeOptions } from "../weights/load-options.ts";
import { type DrawingNote, MAX_PROMPT } from "./drawing.ts";
import {
  beamSearch,
  type GenerateEvent,
  type GenerateOptions,
  generate,
  generateAll,
  guidedModel,
  type ImageMode,
  type OpenedModel,
  openLanguageModel,
  type TokenModel,
} from "./generation/index.ts";
import { type LmFolders, lmFolders, type ModelHashes, modelHashes } from "./lm-folders.ts";
import { nearestTexts } from "./nearest-texts.ts";

export interface LanguageModelOptions extends LoadOptions {
  /**
   * The base: a Hugging Face folder, a .gguf file, or the name of one on the Hub. Default: the file on the Hub that
   * `adapter` records, else `lm` in the model folder.
   */
  readonly lm?: string;
  /** The adapter: a PEFT folder with its own tokenizer.json and seedling.json. Default: `lm-adapter` in the model folder. */
  readonly adapter?: string;
  /** Rounds the language model's weights to so many bits when it is opened. Default: as they are stored. */
  readonly lmBits?: 4 | 8;
}

/** A picture, or the codes of one. */
export type Seen = ImageSource | { readonly codes: ArrayLike<number> };

/** How a reply is chosen. Every setting of sampling, and beams. */
export interface ReplyOptions
  extends Pick<
    GenerateOptions,
    "temperature" | "topK" | "topP" | "minP" | "repetitionPenalty" | "seed" | "maxTokens" | "truncate" | "signal"
  > {
  /** Above 1: the most likely of as many replies, in place of sampling. Default 1. */
  readonly beams?: number;
  /** With beams: above 0 favors longer replies. Default 1. */
  readonly lengthPenalty?: number;
}

/** Several replies at once: a larger `batch` is faster and takes more memory. */
export interface BatchReplyOptions extends ReplyOptions, Pick<BatchOptions, "batch"> {
  /** After each reply, in no order. */
  readonly onReply?: (done: number, total: number) => void;
}

export interface DescribeOptions extends BatchReplyOptions {
  /**
   * So many descriptions are sampled, and the one is taken whose embedding lies nearest to that of the picture's codes.
   * The default is the adapter's own, 16 if it has none, and 1 if a temperature or beams are named.
   */
  readonly bestOf?: number;
}

export interface RespondOptions extends BatchReplyOptions {
  /** One for each conversation, in place of `seed`. Not with beams. */
  readonly seeds?: readonly number[];
  /** Default "auto". */
  readonly images?: ImageMode;
  /** Say how likely each reply was. Default false. */
  readonly likelihood?: boolean;
}

/** A whole reply; pictures as codes. */
export interface Reply {
  readonly text: string;
  readonly pictures: readonly Codes[];
  /** There are tokens of pictures that form none. */
  readonly broken: boolean;
  readonly reason: "stop" | "length";
  /** If `likelihood` was set: of all tokens, in nats, before temperature, cuts and penalty. Not of beams. */
  readonly logLikelihood?: number;
}

export interface DrawOptions extends ReplyOptions, Pick<PaintOptions, "steps" | "guidanceScale" | "onStep"> {
  /** Pictures, of seeds `seed`, `seed` + 1, ..; with beams the best ones, at most as many as beams. Default 1. */
  readonly count?: number;
  /** Guidance over codes: 1 is none, more follows the prompt more closely. Default 1. */
  readonly guidance?: number;
  /** What guidance moves away from, written as a prompt. Default: a request for nothing. */
  readonly negative?: string;
  /** "force" draws at once; "auto" lets the model speak before. Default "force". */
  readonly images?: "force" | "auto";
  /** After each picture's codes. */
  readonly onCodes?: (done: number, count: number) => void;
}

export interface DrawnCodes {
  readonly codes: Codes;
  /** What the model said beside the picture. */
  readonly text: string;
  /** Of these codes, and of the noise they are painted from. */
  readonly seed: number;
}

export interface Drawing extends DrawnCodes {
  readonly image: RgbImage;
}

export interface Turn {
  readonly role: ChatTurn["role"];
  /** Text, and pictures among it; a string is always text, never a path. */
  readonly parts: readonly (string | { readonly codes: ArrayLike<number> } | { readonly image: Seen })[];
}

export interface ChatOptions extends ReplyOptions, Pick<PaintOptions, "steps" | "guidanceScale" | "onStep"> {
  /** Default "auto". */
  readonly images?: ImageMode;
}

export type ChatEvent =
  | { readonly kind: "text"; readonly text: string }
  /** A whole picture, painted. */
  | { readonly kind: "image"; readonly codes: Codes; readonly image: RgbImage; readonly seed: number }
  /** Tokens of pictures that form none. */
  | { readonly kind: "broken"; readonly ids: readonly number[] }
  /** First of all, with `truncate`: so many of the oldest turns did not fit and were left out. */
  | { readonly kind: "forgotten"; readonly turns: number }
  /** Last of all. `turn`: the reply as it can stand in the next call. */
  | { readonly kind: "end"; readonly reason: "stop" | "length"; readonly turn: ChatTurn };

/** `<img>`, 32 codes, `</img>`. */
const PICTURE_TOKENS = 34;
/** What a long conversation leaves free for a reply: a few words and a picture. */
const CHAT_ROOM = 64;
/** Published for SEED-LLaMA: temperature 1, top-p 0.5. */
const DRAWN = { temperature: 1, topP: 0.5 } as const;
const CERTAIN = { temperature: 0, topP: 1, maxTokens: 120 } as const;
/** A small model names one of two things twice. Chosen on validation scenes, with both language models (docs/log.md). */
export const DESCRIBING_PENALTY = 1.2;

export class SeedLanguageModel {
  /** Pictures to codes and back. */
  readonly tokenizer: SeedTokenizer;
  readonly manifest: LmManifest;
  readonly folders: LmFolders;
  readonly #model: OpenedModel;
  readonly #template: ChatTemplate;
  readonly #device: NonNullable<LoadOptions["device"]>;
  #hashes: Promise<ModelHashes> | undefined;

  /**
   * Opens a model folder, or a model of the Hub by its name, with its language model and adapter, and checks that they
   * belong together.
   * @throws SetupError if a part is missing; InputError if one is damaged or belongs to others
   */
  static async fromPretrained(
    idOrFolder: string = BUNDLED_MODEL,
    options: LanguageModelOptions = {},
  ): Promise<SeedLanguageModel> {
    const folder = await modelFolder(idOrFolder, downloadOptions(options));
    const folders = await lmFolders(folder, options, downloadOptions(options));
    const manifest = await readLmManifest(folders.adapter);
    const tokenizer = await SeedTokenizer.fromPretrained(folder, options);
    try {
      options.onProgress?.(`opening ${folders.lm}`);
      const model = await openLanguageModel(folders.lm, {
        ...runtimeOptions(options),
        adapter: folders.adapter,
        ...(options.lmBits ? { bits: options.lmBits } : {}),
      });
      try {
        expectTogether(manifest, model, tokenizer, folders.adapter);
        return new SeedLanguageModel(tokenizer, model, manifest, folders, options);
      } catch (error) {
        await model.close();
        throw error;
      }
    } catch (error) {
      await tokenizer.close();
      throw error;
    }
  }

  private constructor(
    tokenizer: SeedTokenizer,
    model: OpenedModel,
    manifest: LmManifest,
    folders: LmFolders,
    { device = "cpu" }: LoadOptions,
  ) {
    this.tokenizer = tokenizer;
    this.manifest = manifest;
    this.folders = folders;
    this.#model = model;
    this.#template = templateOf(manifest);
    this.#device = device;
  }

  /** Tokens of the longest conversation, its reply included. */
  get context(): number {
    return this.#model.context;
  }

  /**
   * What pictures show, a text each: of several descriptions, sampled as the adapter's manifest says (by default with
   * temperature 0.8 and top-p 0.9), with a repetition penalty of 1.2 and seeds from `seed` on, the one that the text encoder
   * places nearest to the picture's codes. With `bestOf: 1` the likeliest words. `batch` counts texts, 16 or all of a picture by default; `onReply` counts pictures. A picture's text depends on what stands beside it
   * in a batch only by rounding, which with 8-bit rows is that of the whole batch.
   * @throws InputError for a picture that is none, or a context too short for one; UsageError for a `bestOf` with beams or
   * without chance
   */
  async describe(images: readonly Seen[], options: DescribeOptions = {}): Promise<string[]> {
    const { describing } = this.manifest;
    const { likelihood } = describing;
    const bestOf = this.descriptions(options);
    const { temperature, topP, beams = 1, seed = 0, batch = Math.max(16, bestOf), onReply, signal } = options;
    if (!Number.isInteger(bestOf) || bestOf < 1)
      throw new UsageError(`describe: expected the best of 1 or more, got ${bestOf}.`);
    if (bestOf > 1 && beams > 1)
      throw new UsageError(`describe: expected the best of ${bestOf} or ${beams} beams, got both. Choose one.`);
    if (bestOf > 1 && temperature === 0)
      throw new UsageError(`describe: expected a temperature above 0 for the best of ${bestOf}, got 0.`);
    const question = this.manifest.requests.describe;
    const settings = { repetitionPenalty: DESCRIBING_PENALTY, ...options };
    if (bestOf === 1)
      return this.askAll(
        images.map((image) => ({ image, question })),
        settings,
      );
    for (const image of images) expectPicture(image);
    // Pictures are tokenized and texts compared 16 at a time, however many are written together.
    const few = { batch: options.batch ?? 16, ...(signal ? { signal } : {}) };
    const pictures = await this.#codes(images, few);
    const asked = pictures.flatMap((codes) => Array.from({ length: bestOf }, () => ({ image: { codes }, question })));
    const said = await this.#answers(asked, {
      ...settings,
      batch,
      likelihood: likelihood > 0,
      temperature: temperature ?? describing.temperature,
      topP: topP ?? (temperature === undefined ? describing.topP : 1),
      seeds: asked.map((_, i) => seed + (i % bestOf)),
      ...(onReply ? { onReply: (done) => onReply(Math.floor(done / bestOf), images.length) } : {}),
    });
    const texts = pictures.map((_, i) =>
      said.slice(i * bestOf, (i + 1) * bestOf).map(({ text, logLikelihood = 0 }) => ({ text, logLikelihood })),
    );
    return nearestTexts(this.tokenizer, pictures, texts, { ...few, likelihood });
  }

  /** How many descriptions of a picture `describe` writes with these options. */
  descriptions({ bestOf, temperature, beams = 1 }: DescribeOptions = {}): number {
    return bestOf ?? (temperature === undefined && beams === 1 ? this.manifest.describing.bestOf : 1);
  }

  /** The answer to a question about a picture. Greedy by default. @throws as `describe`, and for a question without words */
  async ask(image: Seen, question: string, options: ReplyOptions = {}): Promise<string> {
    const [answer] = await this.askAll([{ image, question }], options);
    return answer!;
  }

  /** Answers to many questions, each about a picture of its own. @throws as `ask` */
  async askAll(
    asked: readonly { readonly image: Seen; readonly question: string }[],
    options: BatchReplyOptions = {},
  ): Promise<string[]> {
    return (await this.#answers(asked, options)).map(({ text }) => text);
  }

  async #answers(
    asked: readonly { readonly image: Seen; readonly question: string }[],
    options: RespondOptions,
  ): Promise<Reply[]> {
    const conversations = asked.map(({ image, question }): Turn[] => {
      expectPicture(image);
      if (question.trim() === "") throw new UsageError("ask: expected a question, got none. Write one.");
      return [{ role: "user", parts: [{ image }, question.trim()] }];
    });
    return this.respond(conversations, { ...CERTAIN, images: "never", ...options });
  }

  /**
   * Replies to conversations, each of which ends with a person's turn, several at once and without painting. Sampled with
   * top-p 0.5 by default, each from the same seed. With `truncate` the oldest turns are left out of what is too long.
   * @throws as `chat`
   */
  async respond(conversations: readonly (readonly Turn[])[], options: RespondOptions = {}): Promise<Reply[]> {
    const { beams = 1, images = "auto", truncate = false, batch = 16, onReply } = options;
    if (!Number.isInteger(batch) || batch < 1) throw new UsageError(`respond: expected a batch from 1, got ${batch}.`);
    if (options.seeds && beams > 1) throw new UsageError("respond: expected seeds or beams, got both.");
    const reserve = images === "force" ? PICTURE_TOKENS : 1;
    const most = truncate ? this.context - Math.max(reserve, this.#room()) : Number.POSITIVE_INFINITY;
    const all = await this.#encodeTurns(conversations, { ...options, batch });
    const prompts = all.map((turns) => this.#fit(turns, most).prompt);
    const settings = { ...DRAWN, ...options, images, reserve };
    if (beams === 1) {
      const { tokenizer } = this.#model;
      const several = {
        ...settings,
        ...this.#stops(),
        batch,
        ...(onReply ? { onReply } : {}),
      };
      return (await generateAll(this.#model, tokenizer, prompts, several)).map(replyOf);
    }
    const replies: Reply[] = [];
    for (const prompt of prompts) {
      const events: GenerateEvent[] = [];
      for await (const event of this.#say(prompt, settings)) events.push(event);
      replies.push(replyOf(events));
      onReply?.(replies.length, prompts.length);
    }
    return replies;
  }

  /**
   * Pictures of what is asked for, painted. Sampled with top-p 0.5 by default. The same prompt, seed and settings give the
   * same pictures.
   * @throws UsageError for a prompt without words or settings that make no sense; InputError for a prompt that does not
   * fit, or if the model only speaks (images "auto")
   */
  async draw(prompt: string, options: DrawOptions = {}): Promise<Drawing[]> {
    const drawn = await this.drawCodes(prompt, options);
    const images = await this.tokenizer.decode(
      drawn.map(({ codes }) => codes),
      { ...paintOptions(options), seed: drawn.map(({ seed }) => seed) },
    );
    return drawn.map((one, i) => ({ ...one, image: images[i]! }));
  }

  /** `draw` without painting: the codes only. @throws as `draw` */
  async drawCodes(prompt: string, options: DrawOptions = {}): Promise<DrawnCodes[]> {
    const { count = 1, beams = 1, seed = 0, onCodes } = options;
    if (!Number.isInteger(count) || count < 1) throw new UsageError(`draw: expected a count from 1, got ${count}.`);
    if (beams > 1 && count > beams)
      throw new UsageError(`draw: expected at least ${count} beams for ${count} pictures, got ${beams}.`);
    const ids = this.#drawPrompt(prompt, "a prompt");
    if (ids === undefined) throw new UsageError("draw: expected a prompt, got none. Say what to draw.");
    const model = this.#guided(options);
    const settings = {
      ...DRAWN,
      images: "force" as const,
      reserve: PICTURE_TOKENS,
      ...options,
      maxTokens: options.images === "auto" ? (options.maxTokens ?? 256) : PICTURE_TOKENS,
    };
    if (beams > 1) {
      const replies = await beamSearch(model, this.#model.tokenizer, ids, { ...settings, ...this.#stops(), beams });
      onCodes?.(count, count);
      return replies.slice(0, count).map((reply, i) => this.#drawn(this.#parts(reply.ids), seed + i));
    }
    const drawn: DrawnCodes[] = [];
    for (let i = 0; i < count; i++) {
      const events: GenerateEvent[] = [];
      const sampled = { ...settings, ...this.#stops(), seed: seed + i };
      for await (const event of generate(model, this.#model.tokenizer, ids, sampled)) events.push(event);
      drawn.push(this.#drawn(events, seed + i));
      onCodes?.(drawn.length, count);
    }
    return drawn;
  }

  /** What a drawing's file keeps: see `drawingPng`. The options must be those it was drawn with. */
  async note(prompt: string, { codes, seed }: DrawnCodes, options: DrawOptions = {}): Promise<DrawingNote> {
    this.#hashes ??= modelHashes(this.folders);
    const { temperature, topK = 0, topP, minP = 0, repetitionPenalty = 1, beams = 1 } = { ...DRAWN, ...options };
    const { guidance = 1, negative = "", steps, guidanceScale } = options;
    return {
      format: "seedling-drawing-1",
      version: VERSION,
      prompt,
      codes: [...codes],
      seed,
      sampling: { temperature, topK, topP, minP, repetitionPenalty, beams, guidance, negative },
      painting: { device: this.#device, steps: steps ?? null, guidanceScale: guidanceScale ?? null },
      models: await this.#hashes,
    };
  }

  /**
   * The reply to a conversation whose last turn is a person's: text as it comes, pictures whole and painted. Sampled with
   * top-p 0.5 by default. Image tokens in a person's text are text.
   * @throws UsageError if the turns do not alternate; InputError if the conversation does not fit and `truncate` is off;
   * the signal's reason when it is aborted
   */
  async *chat(turns: readonly Turn[], options: ChatOptions = {}): AsyncGenerator<ChatEvent, void, undefined> {
    const { seed = 0, truncate = false, images = "auto" } = options;
    const [all] = (await this.#encodeTurns([turns], { ...options, batch: 1 })) as [ChatTurn[]];
    const reserve = images === "force" ? PICTURE_TOKENS : truncate ? this.#room() : 1;
    const { prompt, forgotten } = this.#fit(all, truncate ? this.context - reserve : Number.POSITIVE_INFINITY);
    if (forgotten > 0) yield { kind: "forgotten", turns: forgotten };
    let pictures = 0;
    for await (const event of this.#say(prompt, { ...DRAWN, ...options, images, reserve })) {
      if (event.kind === "image") {
        const own = seed + pictures++;
        const [image] = await this.tokenizer.decode([event.codes], { ...paintOptions(options), seed: own });
        yield { ...event, image: image!, seed: own };
      } else if (event.kind === "end") yield { kind: "end", reason: event.reason, turn: this.#turn(event.ids) };
      else yield event;
    }
  }

  /** What a person would say to ask for this drawing: for a conversation that goes on after `draw`. */
  request(prompt: string): string {
    return fillRequest(this.manifest, prompt);
  }

  /** Ends the worker threads. Calls that are under way fail. */
  async close(): Promise<void> {
    await Promise.all([this.#model.close(), this.tokenizer.close()]);
  }

  /** Events of a reply, however it is chosen. */
  async *#say(
    prompt: readonly number[],
    options: ReplyOptions & { readonly images: ImageMode; readonly reserve?: number },
  ): AsyncGenerator<GenerateEvent, void, undefined> {
    const { tokenizer } = this.#model;
    const settings = { ...options, ...this.#stops() };
    if ((options.beams ?? 1) === 1) return yield* generate(this.#model, tokenizer, prompt, settings);
    const [best] = await beamSearch(this.#model, tokenizer, prompt, settings);
    if (!best) return;
    yield* this.#parts(best.ids);
    yield { kind: "end", reason: best.reason, ids: best.ids };
  }

  /** What ends a reply. */
  #stops(): { stop: number[]; stopTexts: readonly string[] } {
    const { tokenizer } = this.#model;
    const stop = [tokenizer.id(this.#template.stop), ...(tokenizer.eos === undefined ? [] : [tokenizer.eos])];
    return { stop, stopTexts: this.#template.stopTexts };
  }

  #prompt(turns: readonly ChatTurn[]): number[] {
    return encodeChat(this.#model.tokenizer, this.#template, turns).ids;
  }

  /** Undefined for a prompt without words. @throws InputError if it is longer than a file would keep */
  #drawPrompt(prompt: string, what: string): number[] | undefined {
    if (prompt.trim() === "") return undefined;
    if (prompt.length > MAX_PROMPT)
      throw new InputError(
        `draw: expected ${what} of at most ${MAX_PROMPT} letters, got ${prompt.length}. Shorten it.`,
      );
    return this.#prompt([{ role: "user", parts: [this.request(prompt)] }]);
  }

  #guided({ guidance = 1, negative = "" }: DrawOptions): TokenModel {
    if (guidance === 1) return this.#model;
    const image = this.#model.tokenizer.expectImageTokens();
    const nothing = (): number[] => this.#prompt([{ role: "user", parts: [this.request("")] }]);
    const without = this.#drawPrompt(negative, "a negative prompt") ?? nothing();
    return guidedModel(this.#model, { scale: guidance, without, image });
  }

  /** The first picture among the events of a reply. */
  #drawn(events: readonly GenerateEvent[], seed: number): DrawnCodes {
    const picture = events.find((event) => event.kind === "image");
    const text = textOf(events);
    if (picture) return { codes: picture.codes, text, seed };
    throw new InputError(`draw: expected a picture, got ${JSON.stringify(text.slice(0, 60))}. Use images "force".`);
  }

  #parts(ids: readonly number[]): GenerateEvent[] {
    const { tokenizer } = this.#model;
    return splitReply(ids, tokenizer.expectImageTokens()).map((part) =>
      part.kind === "text" ? { kind: "text", text: tokenizer.decode(part.ids) } : part,
    );
  }

  #turn(ids: readonly number[]): ChatTurn {
    const parts = this.#parts(ids).flatMap((part): (string | { codes: Codes })[] => {
      if (part.kind === "image") return [{ codes: part.codes }];
      return part.kind === "text" && part.text.trim() !== "" ? [part.text.trim()] : [];
    });
    return { role: "assistant", parts };
  }

  /** What a conversation that is cut leaves free for the reply, tokens. */
  #room(): number {
    return Math.min(CHAT_ROOM, this.context >> 2);
  }

  /** The codes of pictures, which are tokenized so many at a time. */
  async #codes(
    images: readonly Seen[],
    options: { readonly signal?: AbortSignal; readonly batch: number },
  ): Promise<Codes[]> {
    const [turns] = await this.#encodeTurns([[{ role: "user", parts: images.map((image) => ({ image })) }]], options);
    return turns![0]!.parts.map((part) => (part as { codes: Codes }).codes);
  }

  /** Conversations with codes in place of pictures, which are tokenized so many at a time. */
  async #encodeTurns(
    conversations: readonly (readonly Turn[])[],
    { signal, batch }: { readonly signal?: AbortSignal; readonly batch: number },
  ): Promise<ChatTurn[][]> {
    signal?.throwIfAborted();
    const parts = conversations.flatMap((turns) => turns.flatMap((turn) => [...turn.parts]));
    const codes = new Map<Turn["parts"][number], Codes>();
    for (const part of parts) {
      const given = givenCodes(part);
      if (given) codes.set(part, checkCodes(Array.from(given), "picture", this.tokenizer.codebookSize));
    }
    const open = parts.filter((part) => typeof part !== "string" && !codes.has(part)) as { image: ImageSource }[];
    const images = open.map(({ image }) => image);
    const encoded = await this.tokenizer.encode(images, { batch, ...(signal ? { signal } : {}) });
    for (const [i, part] of open.entries()) codes.set(part, Array.from(encoded[i]!.codes));
    const coded = (part: Turn["parts"][number]): string | { codes: Codes } =>
      typeof part === "string" ? part : { codes: codes.get(part)! };
    return conversations.map((turns) => turns.map(({ role, parts: own }) => ({ role, parts: own.map(coded) })));
  }

  /** Leaves out the oldest question and answer again and again, until the rest fits or only the last turn is left. */
  #fit(turns: readonly ChatTurn[], most: number): { prompt: number[]; forgotten: number } {
    const system = turns[0]?.role === "system" ? 1 : 0;
    for (let forgotten = 0; ; forgotten += 2) {
      const left = [...turns.slice(0, system), ...turns.slice(system + forgotten)];
      const prompt = this.#prompt(left);
      if (prompt.length <= most || left.length - system <= 2) return { prompt, forgotten };
    }
  }
}

function expectPicture(image: Seen | null | undefined): void {
  if (image === undefined || image === null) throw new InputError("ask: expected a picture, got none. Name one.");
}

function hasCodes(image: Seen): image is { readonly codes: ArrayLike<number> } {
  return typeof image === "object" && image !== null && "codes" in image;
}

/** The codes that a part of a turn comes with; none for text, and for pictures that have to be tokenized. */
function givenCodes(part: Turn["parts"][number]): ArrayLike<number> | undefined {
  if (typeof part === "string") return undefined;
  const seen = "image" in part ? part.image : part;
  return hasCodes(seen) ? seen.codes : undefined;
}

function textOf(events: readonly GenerateEvent[]): string {
  return events
    .map((event) => (event.kind === "text" ? event.text : ""))
    .join("")
    .trim();
}

function replyOf(events: readonly GenerateEvent[]): Reply {
  const end = events.at(-1)!;
  return {
    text: textOf(events),
    pictures: events.flatMap((event) => (event.kind === "image" ? [event.codes] : [])),
    broken: events.some(({ kind }) => kind === "broken"),
    reason: end.kind === "end" ? end.reason : "length",
    ...(end.kind === "end" && end.logLikelihood !== undefined ? { logLikelihood: end.logLikelihood } : {}),
  };
}

function paintOptions({
  steps,
  guidanceScale,
  onStep,
  signal,
}: Pick<PaintOptions, "steps" | "guidanceScale" | "onStep" | "signal">): PaintOptions {
  return {
    batch: 1, // so that a picture is the same bit for bit, whatever is painted beside it
    ...(steps === undefined ? {} : { steps }),
    ...(guidanceScale === undefined ? {} : { guidanceScale }),
    ...(onStep ? { onStep } : {}),
    ...(signal ? { signal } : {}),
  };
}

/** @throws InputError if the words, the codes and the rows of the model are not made for one another */
function expectTogether(manifest: LmManifest, model: OpenedModel, pictures: SeedTokenizer, where: string): void {
  const { tokenizer, config } = model;
  const { codebookSize: codes, codebookHash: codebook } = pictures;
  expectSameCodes(manifest, tokenizer, { codes, codebook }, where);
  const { first } = tokenizer.expectImageTokens();
  if (config.addedTokens && first !== config.vocabulary)
    throw new InputError(
      `${where}: expected <img_00000> as id ${config.vocabulary}, the first behind the base's, got ${first}. Use the tokenizer.json that the adapter came with.`,
    );
}
