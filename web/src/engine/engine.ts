/** What the page asks of a model, wherever it runs. Pictures are data URLs or object URLs; codes come in causal order. */

export interface DecodeOptions {
  /** Decode from the first codes only, 1 to 32. */
  readonly keep?: number;
  readonly seed?: number;
}

export interface DrawOptions {
  readonly seed: number;
  /** 0 to 2; higher is more varied. */
  readonly temperature: number;
  /** How closely decoding follows the codes. Default: as the model says. */
  readonly guidanceScale?: number;
}

/** How a reply is chosen. The same messages and settings get the same reply. */
export interface ChatOptions {
  readonly seed?: number;
  /** 0 for the likeliest reply. Default: as the model says. */
  readonly temperature?: number;
}

export interface DrawProgress {
  /** Codes written so far. */
  readonly codes: readonly number[];
  /** A picture of them, if one was made. */
  readonly url?: string;
}

export interface Picture {
  readonly url: string;
  readonly codes: readonly number[];
}

export interface SearchQuery {
  readonly text?: string;
  /** A data URL. */
  readonly image?: string;
}

/** A picture that a search found. */
export interface Found extends Picture {
  readonly path: string;
  /** Cosine with what was looked for, at most 1. */
  readonly score: number;
}

export type Part = { readonly text: string } | { readonly picture: Picture };

export interface Message {
  readonly role: "user" | "assistant";
  readonly parts: readonly Part[];
}

/** What an engine computes with, where there is a choice. */
export type Device = "cpu" | "webgpu";

export interface Engine {
  readonly where: "server" | "browser";
  /** Devices to choose from, the default first; empty where there is no choice. */
  readonly devices: readonly Device[];
  useDevice(device: Device): void;
  /** How many pictures can be searched. */
  readonly indexed: number;
  /** Pictures that show what a text says, that are like a picture, or both. */
  search(query: SearchQuery, signal: AbortSignal): Promise<readonly Found[]>;
  /** Names of the models that can be chosen; the first is the default. */
  models(): Promise<readonly string[]>;
  use(model: string): void;
  /** 32 codes of a picture (a data URL). */
  encode(url: string, signal: AbortSignal): Promise<readonly number[]>;
  decode(codes: readonly number[], options: DecodeOptions, signal: AbortSignal): Promise<string>;
  describe(codes: readonly number[], signal: AbortSignal): Promise<string>;
  draw(
    prompt: string,
    options: DrawOptions,
    onProgress: (progress: DrawProgress) => void,
    signal: AbortSignal,
  ): Promise<Picture>;
  /** Calls `onPart` with text as it comes and with whole pictures. */
  chat(
    messages: readonly Message[],
    options: ChatOptions,
    onPart: (part: Part) => void,
    signal: AbortSignal,
  ): Promise<void>;
}

/** What went wrong, in words for a person. */
export class EngineError extends Error {}
