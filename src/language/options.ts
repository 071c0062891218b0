/** What the methods of `SeedLanguageModel` take and return. */
import type { Codes } from "../codes/index.ts";
import type { DecoderOptions } from "../image-decoder/decoder.ts";
import type {
  BatchOptions,
  ImageSource,
  LoadOptions,
  SeedTokenizer,
  TokenizerLoadOptions,
} from "../image-tokenizer/seed-tokenizer.ts";
import type { ChatTurn } from "../text/index.ts";
import type { Drawing } from "./drawing.ts";
import type { GenerateOptions, ImageMode } from "./generation/index.ts";

export interface LanguageModelOptions extends LoadOptions, Pick<TokenizerLoadOptions, "decoder" | "scheduler"> {
  /**
   * The base: a Hugging Face folder, a .gguf file, or the name of a .gguf file on the Hub. Default: the one that `adapter`
   * records, if it is on the Hub or a path that exists here, else `lm` in the model folder.
   */
  readonly lm?: string;
  /** The adapter: a PEFT folder with its own tokenizer.json and seedling.json. Default: `lm-adapter` in the model folder. */
  readonly adapter?: string;
  /** The image tokenizer of the same folder, where it is open already; it stays open. Default: opened, and closed, here. */
  readonly imageTokenizer?: SeedTokenizer;
  /** Rounds the language model's weights to this many bits when it is opened. Default: as they are stored. */
  readonly lmBits?: 4 | 8;
}

/** An image, or the codes of one. */
export type ImageInput = ImageSource | { readonly codes: ArrayLike<number> };

/** How a reply is chosen: every setting of sampling, or beams. */
export interface ReplyOptions
  extends Pick<
    GenerateOptions,
    "temperature" | "topK" | "topP" | "minP" | "repetitionPenalty" | "seed" | "maxTokens" | "truncate" | "signal"
  > {
  /** Above 1: beam search for the most likely reply instead of sampling. Default 1. */
  readonly beams?: number;
  /** With beams: above 0 favors longer replies. Default 1. */
  readonly lengthPenalty?: number;
}

/** Several replies at once: a larger `batch` is faster and takes more memory. */
export interface BatchReplyOptions extends ReplyOptions, Pick<BatchOptions, "batch"> {
  /** After each reply, in no particular order. */
  readonly onReply?: (done: number, total: number) => void;
}

export interface DescribeOptions extends BatchReplyOptions {
  /**
   * Samples this many descriptions and takes the one whose embedding is nearest to that of the image's codes. Default: as
   * the adapter says, or 16; 1 if `temperature` or `beams` is given.
   */
  readonly bestOf?: number;
}

export interface Question {
  readonly image: ImageInput;
  readonly question: string;
}

export interface RespondOptions extends BatchReplyOptions {
  /** One seed per conversation, instead of `seed`. Not with beams. */
  readonly seeds?: readonly number[];
  /** Default "auto". */
  readonly images?: ImageMode;
  /** What every reply begins with; it is not part of the reply. Default: nothing. */
  readonly prefix?: string;
  /** Also computes how likely each reply was. Default false. */
  readonly likelihood?: boolean;
}

/** A whole reply; pictures as codes. */
export interface Reply {
  readonly text: string;
  readonly pictures: readonly Codes[];
  /** Some image tokens do not form a picture. */
  readonly broken: boolean;
  readonly reason: "stop" | "length";
  /** If `likelihood` was set: of all tokens, in nats, before temperature, filters and penalty. Not with beams. */
  readonly logLikelihood?: number;
}

/** How a drawing is decoded to pixels. */
export type DecodingOptions = Pick<DecoderOptions, "steps" | "guidanceScale" | "onStep">;

export interface DrawOptions extends ReplyOptions, DecodingOptions {
  /** Number of pictures, of seeds `seed`, `seed` + 1, ..; with beams the best ones, at most as many as beams. Default 1. */
  readonly count?: number;
  /** Guidance over codes: 1 is off, more follows the prompt more closely. Default 1. */
  readonly guidance?: number;
  /** The prompt that guidance moves away from. Default: an empty request. */
  readonly negative?: string;
  /** "force" draws at once; with "auto" the model may speak first. Default "force". */
  readonly images?: "force" | "auto";
  /** After the codes of each picture. */
  readonly onCodes?: (done: number, count: number) => void;
  /** After each code, with all codes of the picture so far. Not with beams. */
  readonly onCode?: (codes: Codes) => void;
}

export interface Turn {
  readonly role: ChatTurn["role"];
  /** Text and images; a string is always text, never a path. */
  readonly parts: readonly (string | { readonly codes: ArrayLike<number> } | { readonly image: ImageInput })[];
}

export interface ChatOptions extends ReplyOptions, DecodingOptions {
  /** Default "auto". */
  readonly images?: ImageMode;
}

export type ChatEvent =
  | { readonly kind: "text"; readonly text: string }
  /** A whole picture, decoded. */
  | { readonly kind: "image"; readonly drawing: Drawing }
  /** Image tokens that do not form a picture. */
  | { readonly kind: "broken"; readonly ids: readonly number[] }
  /** Comes first, with `truncate`: this many of the oldest turns did not fit and were left out. */
  | { readonly kind: "truncated"; readonly turns: number }
  /** Comes last. `turn`: the reply, to be passed to the next call. */
  | {
      readonly kind: "end";
      readonly reason: "stop" | "length";
      readonly turn: ChatTurn;
      /** Tokens of the conversation and of the reply. */
      readonly promptTokens: number;
      readonly tokens: number;
    };
