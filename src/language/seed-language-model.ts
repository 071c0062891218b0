/** A language model that sees and draws: image codes are tokens among its words. */
import { InputError } from "../base/errors.ts";
import { item } from "../base/item.ts";
import type { RgbImage } from "../image/index.ts";
import { BUNDLED_MODEL, type LoadOptions, SeedTokenizer } from "../image-tokenizer/seed-tokenizer.ts";
import { modelFolder } from "../io/hub/index.ts";
import { expectSameCodes, type LmManifest, readLmManifest } from "../text/index.ts";
import { downloadOptions, runtimeOptions } from "../weights/load-options.ts";
import { chat } from "./chat.ts";
import { ChatModel } from "./chat-model.ts";
import { complete } from "./complete.ts";
import { respond } from "./conversations.ts";
import { answer, describe, descriptions, textsOf } from "./describe.ts";
import { Drawing, type DrawnCodes, decodingOptions, drawCodes } from "./drawing.ts";
import { drawingNote } from "./drawing-note.ts";
import { type OpenedModel, openLanguageModel } from "./generation/index.ts";
import { type LmFolders, lmFolders, type ModelHashes, modelHashes } from "./lm-folders.ts";
import type {
  BatchReplyOptions,
  ChatEvent,
  ChatOptions,
  DescribeOptions,
  DrawOptions,
  ImageInput,
  LanguageModelOptions,
  Question,
  Reply,
  ReplyOptions,
  RespondOptions,
  Turn,
} from "./options.ts";

export class SeedLanguageModel {
  /** Images to codes and back. */
  readonly tokenizer: SeedTokenizer;
  readonly folders: LmFolders;
  readonly #chat: ChatModel;
  readonly #device: NonNullable<LoadOptions["device"]>;
  readonly #ownsTokenizer: boolean;
  #hashes: Promise<ModelHashes> | undefined;

  /**
   * Opens a model folder, or a model on the Hub by its name, with its language model and adapter, and checks that they
   * belong together.
   * @throws SetupError if a part is missing; InputError if one is damaged or belongs to another model
   */
  static async fromPretrained(
    idOrFolder: string = BUNDLED_MODEL,
    options: LanguageModelOptions = {},
  ): Promise<SeedLanguageModel> {
    const folder = await modelFolder(idOrFolder, downloadOptions(options));
    const folders = await lmFolders(folder, options, downloadOptions(options));
    const manifest = await readLmManifest(folders.adapter);
    const tokenizer = options.imageTokenizer ?? (await SeedTokenizer.fromPretrained(folder, options));
    try {
      options.onProgress?.(`opening ${folders.lm}`);
      const settings = { ...runtimeOptions(options), adapter: folders.adapter, bits: options.lmBits };
      const model = await openLanguageModel(folders.lm, settings);
      try {
        expectTogether(manifest, model, tokenizer, folders.adapter);
        return new SeedLanguageModel(tokenizer, new ChatModel(model, manifest), folders, options);
      } catch (error) {
        await model.close();
        throw error;
      }
    } catch (error) {
      if (!options.imageTokenizer) await tokenizer.close();
      throw error;
    }
  }

  private constructor(
    tokenizer: SeedTokenizer,
    chatModel: ChatModel,
    folders: LmFolders,
    { device = "cpu", imageTokenizer: lent }: LanguageModelOptions,
  ) {
    this.tokenizer = tokenizer;
    this.folders = folders;
    this.#chat = chatModel;
    this.#device = device;
    this.#ownsTokenizer = lent === undefined;
  }

  /** The requests that the adapter was trained on, and how it describes. */
  get manifest(): LmManifest {
    return this.#chat.manifest;
  }

  /** Tokens of the longest conversation, including its reply. */
  get context(): number {
    return this.#chat.context;
  }

  /**
   * What images show, one text each. Samples several descriptions of an image, as the adapter's manifest says (default:
   * temperature 0.8, top-p 0.9), with repetition penalty 1.2 and seeds from `seed` on, and takes the one that the text
   * encoder places nearest to the image's codes; `bestOf: 1` decodes greedily. `batch` counts texts (default: 16, or all of
   * an image), `onReply` counts images. An image's text depends on the rest of its batch only by rounding, which with 8-bit
   * weights is that of the whole batch.
   * @throws InputError for a broken image, or a context too short for one; UsageError for a `bestOf` with beams or with
   * temperature 0
   */
  describe(images: readonly ImageInput[], options: DescribeOptions = {}): Promise<string[]> {
    return describe(this.#chat, this.tokenizer, images, options);
  }

  /** How many descriptions of an image `describe` samples with these options. */
  descriptions(options: DescribeOptions = {}): number {
    return descriptions(this.#chat, options);
  }

  /** The answer to a question about an image. Greedy by default. @throws as `describe`, and for an empty question */
  async ask(image: ImageInput, question: string, options: ReplyOptions = {}): Promise<string> {
    const [text = ""] = await this.askAll([{ image, question }], options);
    return text;
  }

  /** Answers to many questions, each about an image of its own. @throws as `ask` */
  askAll(asked: readonly Question[], options: BatchReplyOptions = {}): Promise<string[]> {
    return textsOf(answer(this.#chat, this.tokenizer, asked, options));
  }

  /**
   * Replies to conversations, each of which ends with a user's turn, several at once; pictures are not decoded. Sampled
   * with top-p 0.5 by default, each from the same seed. With `truncate` the oldest turns of a conversation that is too long
   * are left out.
   * @throws as `chat`
   */
  respond(conversations: readonly (readonly Turn[])[], options: RespondOptions = {}): Promise<Reply[]> {
    return respond(this.#chat, this.tokenizer, conversations, options);
  }

  /**
   * Continues sequences of pictures and text as they are: the tokenizer's begin of text comes first, and there is no chat
   * template. For evaluation, and for adapters that learned no conversations. Sampled as `respond` does.
   * @throws as `chat`
   */
  complete(sequences: readonly Turn["parts"][], options: Omit<RespondOptions, "prefix"> = {}): Promise<Reply[]> {
    return complete(this.#chat, this.tokenizer, sequences, options);
  }

  /**
   * Draws pictures of a prompt and decodes them. Sampled with top-p 0.5 by default. The same prompt, seed and settings give
   * the same pictures.
   * @throws UsageError for an empty prompt or settings out of range; InputError for a prompt that does not fit, or if the
   * model replies with text only (images "auto")
   */
  async draw(prompt: string, options: DrawOptions = {}): Promise<Drawing[]> {
    const drawn = await this.drawCodes(prompt, options);
    const images = await this.tokenizer.decode(
      drawn.map(({ codes }) => codes),
      { ...decodingOptions(options), seed: drawn.map(({ seed }) => seed) },
    );
    return drawn.map((one, i) => this.drawing(prompt, one, item(images, i), options));
  }

  /** `draw` without decoding: the codes only. @throws as `draw` */
  drawCodes(prompt: string, options: DrawOptions = {}): Promise<DrawnCodes[]> {
    return drawCodes(this.#chat, prompt, options);
  }

  /**
   * The reply to a conversation whose last turn is the user's: text as it comes, pictures whole and decoded. Sampled with
   * top-p 0.5 by default. Image tokens in a user's text are text.
   * @throws UsageError if the turns do not alternate; InputError if the conversation does not fit and `truncate` is off;
   * the signal's reason when it is aborted
   */
  chat(turns: readonly Turn[], options: ChatOptions = {}): AsyncGenerator<ChatEvent, void, undefined> {
    const makeDrawing = this.drawing.bind(this);
    return chat(this.#chat, this.tokenizer, turns, { ...options, makeDrawing });
  }

  /** What a user would say to ask for this drawing: for a conversation that continues after `draw`. */
  request(prompt: string): string {
    return this.#chat.request(prompt);
  }

  /** Ends the worker threads. Calls in progress fail. */
  async close(): Promise<void> {
    await Promise.all([this.#chat.close(), this.#ownsTokenizer && this.tokenizer.close()]);
  }

  /** A drawing of codes that `drawCodes` gave for a prompt with these options, and the picture that they decode to. */
  drawing(prompt: string, drawn: DrawnCodes, image: RgbImage, options: Omit<DrawOptions, "images"> = {}): Drawing {
    return new Drawing(drawn, image, async () => {
      this.#hashes ??= modelHashes(this.folders);
      return drawingNote(prompt, drawn, options, { device: this.#device, hashes: await this.#hashes });
    });
  }
}

/** @throws InputError if adapter, language model and image tokenizer are not made for one another */
function expectTogether(manifest: LmManifest, model: OpenedModel, images: SeedTokenizer, where: string): void {
  const { tokenizer, config } = model;
  const { codebookSize: codes, codebookHash: codebook } = images;
  expectSameCodes(manifest, tokenizer, { codes, codebook }, where);
  const { first } = tokenizer.expectImageTokens();
  if (config.addedTokens && first !== config.vocabulary)
    throw new InputError(
      `${where}: expected <img_00000> as id ${config.vocabulary}, the first after the base's, got ${first}. Use the tokenizer.json that the adapter came with.`,
    );
}
