/** What the server needs of a model; tests put a plain object in its place. */
import type { Codes } from "../codes/index.ts";
import type { RgbImage } from "../image/index.ts";

export type Capability = "encode" | "embed" | "decode" | "chat";

export interface ChatTurn {
  readonly role: "system" | "user" | "assistant";
  readonly parts: readonly (string | { readonly image: Uint8Array } | { readonly codes: Codes })[];
}

export interface SamplingSettings {
  readonly temperature?: number;
  readonly topP?: number;
  readonly seed?: number;
  readonly maxTokens?: number;
  readonly signal?: AbortSignal;
}

export type ChatEvent =
  | { readonly kind: "text"; readonly text: string }
  | {
      readonly kind: "image";
      readonly codes: Codes;
      /** A PNG file that records how it was drawn. */
      readonly png: () => Promise<Uint8Array>;
    }
  | {
      readonly kind: "end";
      readonly reason: "stop" | "length";
      readonly promptTokens: number;
      readonly tokens: number;
    };

export interface DrawSettings extends SamplingSettings {
  /** Steps of the diffusion model. */
  readonly steps?: number;
  readonly guidanceScale?: number;
}

/** A decoded drawing. */
export interface DrawnPicture {
  readonly prompt: string;
  readonly codes: Codes;
  readonly seed: number;
  readonly image: RgbImage;
  readonly settings: DrawSettings;
}

export interface DecodeJob {
  readonly codes: Codes;
  readonly seed: number;
  /** Decode from the first codes only. */
  readonly keep?: number;
  readonly steps?: number;
  readonly guidanceScale?: number;
}

export interface DescribeJob {
  readonly codes: Codes;
  readonly bestOf?: number;
  readonly seed?: number;
}

export interface ServedModel {
  readonly id: string;
  readonly capabilities: ReadonlySet<Capability>;
  /** Hash of the codebook's vectors. */
  readonly codebook: string;
  /** A picture file -> the picture as the model sees it. @throws InputError if it is damaged */
  prepare(image: Uint8Array): Promise<RgbImage>;
  /** Prepared pictures -> 32 codes each. */
  encode(images: readonly RgbImage[], signal?: AbortSignal): Promise<Codes[]>;
  /** Unit vectors of the space that pictures and texts share. */
  embedImages(images: readonly RgbImage[], signal?: AbortSignal): Promise<Float32Array[]>;
  embedTexts(texts: readonly string[], signal?: AbortSignal): Promise<Float32Array[]>;
  embedCodes(codes: readonly Codes[], signal?: AbortSignal): Promise<Float32Array[]>;
  /** Codes -> pictures; jobs of the same settings. */
  decode(jobs: readonly DecodeJob[], signal?: AbortSignal): Promise<RgbImage[]>;
  /** What pictures show; jobs of the same settings. */
  describe(jobs: readonly DescribeJob[], signal?: AbortSignal): Promise<string[]>;
  chat(turns: readonly ChatTurn[], settings: SamplingSettings): AsyncIterable<ChatEvent>;
  /** The codes of one drawing; `onCodes` is called with the codes written so far. */
  drawCodes(prompt: string, settings: SamplingSettings, onCodes?: (codes: readonly number[]) => void): Promise<Codes>;
  /** A PNG file that records how it was drawn. */
  drawingPng(drawn: DrawnPicture): Promise<Uint8Array>;
  close(): Promise<void>;
}
