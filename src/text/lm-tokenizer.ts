/** The tokenizer of a language model, from a Hugging Face `tokenizer.json`, with its image tokens if it has them. */
import { Tokenizer } from "@huggingface/tokenizers";
import { InputError } from "../base/errors.ts";
import { quote, reason } from "../base/one-line.ts";
import { isMissing } from "../io/files.ts";
import { readJsonFile } from "../io/json-file.ts";
import { join } from "../io/paths.ts";
import { type AddedToken, findImageTokens, type ImageTokens } from "./image-tokens.ts";
import { expectTokenizerConfig } from "./tokenizer-config.ts";

/** Large vocabularies with their merges. */
const MAX_TOKENIZER_BYTES = 100e6;

type Json = Readonly<Record<string, unknown>>;

export class LmTokenizer {
  /** The content of tokenizer.json, to be written with a model. */
  readonly json: Json;
  readonly config: Json;
  /** One more than the largest id. */
  readonly size: number;
  readonly image: ImageTokens | undefined;
  /** Begin and end of text, if the tokenizer has them. */
  readonly bos: number | undefined;
  readonly eos: number | undefined;
  readonly #withTokens: Tokenizer;
  /** Reads "<img>" in a user's text as five characters. */
  readonly #textOnly: Tokenizer;
  readonly #silent: ReadonlySet<number>;
  /** What messages call it. */
  readonly #where: string;

  /** @param json parsed tokenizer.json @param config parsed tokenizer_config.json @throws InputError if they are damaged. */
  constructor(json: Json, config: Json = {}, where = "tokenizer.json") {
    const added = addedTokens(json, where);
    expectTokenizerConfig(config, json, added, where.replace(/tokenizer\.json$/, "tokenizer_config.json"));
    this.#where = where;
    this.json = json;
    this.config = config;
    this.image = findImageTokens(added, where);
    this.size = vocabularySize(json, added, where);
    try {
      this.#withTokens = new Tokenizer(json, {});
      const textTokens = added.filter(({ id, special }) => !special && !this.#isImage(id));
      this.#textOnly = new Tokenizer({ ...json, added_tokens: textTokens }, {});
    } catch (error) {
      throw new InputError(`${where}: expected a tokenizer that can be read (${reason(error)}). Copy it again.`);
    }
    this.#silent = new Set(added.filter(({ id, special }) => special || this.#isImage(id)).map(({ id }) => id));
    this.bos = this.#named("bos_token");
    this.eos = this.#named("eos_token");
  }

  /** From a folder. @throws InputError if tokenizer.json is missing or damaged. */
  static async open(folder: string): Promise<LmTokenizer> {
    const path = join(folder, "tokenizer.json");
    const json = (await readJsonFile(path, MAX_TOKENIZER_BYTES)) as Json;
    const config = await readJsonFile(join(folder, "tokenizer_config.json"), MAX_TOKENIZER_BYTES).catch(
      (error: unknown) => {
        if (isMissing(error)) return {};
        throw error;
      },
    );
    return new LmTokenizer(json, config as Json, path);
  }

  /** Text only: special tokens and image tokens in it are read as characters. Adds nothing. */
  encode(text: string): number[] {
    return text === "" ? [] : this.#textOnly.encode(text, { add_special_tokens: false }).ids;
  }

  /** Text in which special tokens and image tokens are recognized. Adds nothing. */
  encodeWithTokens(text: string): number[] {
    return text === "" ? [] : this.#withTokens.encode(text, { add_special_tokens: false }).ids;
  }

  /** @throws InputError for a token that the tokenizer lacks. */
  id(token: string): number {
    const id = this.#withTokens.token_to_id(token);
    if (id === undefined)
      throw new InputError(
        `${this.#where}: expected the token ${quote(token)}, found none. Use the model's own tokenizer.`,
      );
    return id;
  }

  /** The text of ids, without special tokens and image tokens. */
  decode(ids: readonly number[]): string {
    const words = ids.filter((id) => !this.#silent.has(id));
    if (words.length === 0) return "";
    return this.#withTokens.decode(words, { clean_up_tokenization_spaces: false });
  }

  /** @throws InputError that says what is missing. */
  expectImageTokens(): ImageTokens {
    if (this.image) return this.image;
    throw new InputError(
      `${this.#where}: expected the tokens <img>, </img> and <img_00000>.., found none. Use a model that was trained on images.`,
    );
  }

  #isImage(id: number): boolean {
    const { image } = this;
    if (!image) return false;
    return id === image.start || id === image.end || (id >= image.first && id < image.first + image.codes);
  }

  #named(key: string): number | undefined {
    const value = this.config[key];
    const token = typeof value === "object" && value !== null ? (value as Json)["content"] : value;
    return typeof token === "string" ? this.id(token) : undefined;
  }
}

function addedTokens(json: Json, where: string): readonly AddedToken[] {
  const added = json["added_tokens"] ?? [];
  const fine =
    Array.isArray(added) &&
    added.every((t: Partial<AddedToken> | null) => Number.isInteger(t?.id) && typeof t?.content === "string");
  if (!fine) throw new InputError(`${where}: expected added_tokens with id and content. Copy it again.`);
  return added as readonly AddedToken[];
}

function vocabularySize(json: Json, added: readonly AddedToken[], where: string): number {
  const vocab = (json["model"] as Json | null | undefined)?.["vocab"];
  if (typeof vocab !== "object" || vocab === null)
    throw new InputError(`${where}: expected a model with a vocabulary, found none. Copy it again.`);
  let size = Array.isArray(vocab) ? vocab.length : 0;
  if (!Array.isArray(vocab))
    for (const id of Object.values(vocab as Record<string, number>)) size = Math.max(size, id + 1);
  for (const { id } of added) size = Math.max(size, id + 1);
  return size;
}

/** Takes ids one by one and gives text as soon as it is certain: a character of several tokens comes with its last one. */
export class TextStream {
  readonly #tokenizer: LmTokenizer;
  readonly #ids: number[] = [];
  /** Decoding starts where the last piece began, and so a little before the ids whose text was not given out yet. */
  #start = 0;
  #given = 0;

  constructor(tokenizer: LmTokenizer) {
    this.#tokenizer = tokenizer;
  }

  /** The text that has become certain, often none. */
  push(id: number): string {
    this.#ids.push(id);
    const { before, now } = this.#texts();
    if (now.length <= before.length || now.endsWith("\uFFFD")) return "";
    this.#start = this.#given;
    this.#given = this.#ids.length;
    return now.slice(before.length);
  }

  /** The rest, at the end: characters that were never completed. */
  end(): string {
    const { before, now } = this.#texts();
    return now.slice(before.length);
  }

  #texts(): { before: string; now: string } {
    const before = this.#tokenizer.decode(this.#ids.slice(this.#start, this.#given));
    return { before, now: this.#tokenizer.decode(this.#ids.slice(this.#start)) };
  }
}
