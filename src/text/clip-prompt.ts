/** Prompts as CLIP's ids: byte-pair encoding with an end-of-word mark, always as long as the text encoder can read. */
import { z } from "zod";
import { InputError, SetupError } from "../base/errors.ts";
import { exists, readFileBounded } from "../io/files.ts";
import { parseWith, readJsonFile } from "../io/json-file.ts";
import { join } from "../io/paths.ts";
import { LmTokenizer } from "./lm-tokenizer.ts";

/** CLIP's has 49408 entries, its tokenizer.json 2 MB. */
const MAX_BYTES = 20e6;
const BEGIN = "<|startoftext|>";
const END = "<|endoftext|>";

/** From a text encoder's config.json. */
export interface PromptSizes {
  readonly vocabulary: number;
  /** Ids of a prompt. */
  readonly length: number;
  /** What fills up where no file says it. OpenAI's encoders were trained on end tokens, OpenCLIP's on zeros. */
  readonly fill: "end" | "zero";
}

type Json = Readonly<Record<string, unknown>>;

const parseVocabulary = parseWith(z.record(z.string(), z.int().min(0)));

export class ClipPrompts {
  readonly #tokenizer: LmTokenizer | undefined;
  readonly #sizes: PromptSizes;
  readonly #begin: number;
  readonly #end: number;
  readonly #pad: number;

  /**
   * From tokenizer.json, or vocab.json and merges.txt. Without any of them only the empty prompt can be encoded: begin and
   * end are the last two ids of every CLIP.
   * @throws InputError if a file is damaged or of another vocabulary.
   */
  static async open(folder: string, sizes: PromptSizes): Promise<ClipPrompts> {
    const at = (name: string): string => join(folder, name);
    const whole = await optionalJson(at("tokenizer.json"));
    const vocab = whole ? undefined : await optionalJson(at("vocab.json"));
    if (!whole && !vocab) return new ClipPrompts(undefined, undefined, sizes);
    const where = at(whole ? "tokenizer.json" : "vocab.json");
    const json = whole ?? clipTokenizer(parseVocabulary(vocab, where), await readText(at("merges.txt")));
    const tokenizer = new LmTokenizer(json, {}, where);
    if (tokenizer.size !== sizes.vocabulary)
      throw new InputError(
        `${where}: expected the ${sizes.vocabulary} tokens of the text encoder, got ${tokenizer.size}. Do the files belong together?`,
      );
    // The older file goes first, as in transformers: Stable Diffusion 2 says there that "!" fills up.
    const maps = [await optionalJson(at("special_tokens_map.json")), await optionalJson(at("tokenizer_config.json"))];
    const pad = maps.map((map) => content(map?.["pad_token"])).find((token) => token);
    return new ClipPrompts(tokenizer, pad, sizes);
  }

  private constructor(tokenizer: LmTokenizer | undefined, pad: string | undefined, sizes: PromptSizes) {
    const { vocabulary, fill } = sizes;
    this.#tokenizer = tokenizer;
    this.#sizes = sizes;
    this.#begin = tokenizer?.id(BEGIN) ?? vocabulary - 2;
    this.#end = tokenizer?.id(END) ?? vocabulary - 1;
    this.#pad = tokenizer && pad !== undefined ? tokenizer.id(pad) : fill === "end" ? this.#end : 0;
  }

  /** i32 [length]: begin, the words as far as they fit, end, filled up. @throws SetupError if there is no tokenizer. */
  encode(prompt: string): Int32Array {
    const { length } = this.#sizes;
    const text = prompt.trim();
    if (text !== "" && !this.#tokenizer)
      throw new SetupError("prompt: expected tokenizer/vocab.json and merges.txt, found none. Copy that folder too.");
    const words = this.#tokenizer?.encode(text).slice(0, length - 2) ?? [];
    const ids = new Int32Array(length).fill(this.#pad);
    ids.set([this.#begin, ...words, this.#end]);
    return ids;
  }
}

/** The content of a tokenizer.json that does what CLIP's vocab.json and merges.txt say. Radford et al. 2021. */
export function clipTokenizer(vocab: Readonly<Record<string, number>>, merges: string): Json {
  const pieces = String.raw`'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+`;
  const special = (content: string) => ({ id: vocab[content], content, special: true, normalized: false });
  return {
    version: "1.0",
    added_tokens: [BEGIN, END].filter((token) => token in vocab).map(special),
    normalizer: {
      type: "Sequence",
      normalizers: [
        { type: "NFC" },
        { type: "Replace", pattern: { Regex: String.raw`\s+` }, content: " " },
        { type: "Lowercase" },
      ],
    },
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [
        { type: "Split", pattern: { Regex: pieces }, behavior: "Removed", invert: true },
        { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false },
      ],
    },
    post_processor: null,
    decoder: { type: "ByteLevel" },
    model: {
      type: "BPE",
      unk_token: END,
      continuing_subword_prefix: "",
      end_of_word_suffix: "</w>",
      fuse_unk: false,
      vocab,
      merges: merges.split(/\r?\n/).filter((line) => line !== "" && !line.startsWith("#version")),
    },
  };
}

/** A special token is stored as text or as an object with its content. */
function content(token: unknown): string | undefined {
  const text = typeof token === "object" && token !== null ? (token as Json)["content"] : token;
  return typeof text === "string" ? text : undefined;
}

async function optionalJson(path: string): Promise<Json | undefined> {
  return (await exists(path)) ? ((await readJsonFile(path, MAX_BYTES)) as Json) : undefined;
}

async function readText(path: string): Promise<string> {
  return new TextDecoder().decode(await readFileBounded(path, MAX_BYTES));
}
