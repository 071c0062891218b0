/** Messages between the page and the worker that the model runs in. */
import type {
  ChatOptions,
  DecodeOptions,
  Device,
  DrawOptions,
  DrawProgress,
  Message,
  Part,
  Picture,
} from "./engine.ts";

/** Where the model is and how it runs; comes before everything else. */
export interface OpenRequest {
  readonly folder: string;
  readonly device: Device;
  readonly threads: number;
}

/** What can be asked, and what comes back. */
export interface Work {
  encode(url: string): readonly number[];
  /** A data URL. */
  decode(codes: readonly number[], options: DecodeOptions): string;
  describe(codes: readonly number[]): string;
  /** Meanwhile: `DrawProgress`. */
  draw(prompt: string, options: DrawOptions): Picture;
  /** Meanwhile: `Part`. */
  chat(messages: readonly Message[], options: ChatOptions): undefined;
}

export type WorkName = keyof Work;

export type ToWorker =
  | { readonly open: OpenRequest }
  | { readonly id: number; readonly work: WorkName; readonly args: readonly unknown[] }
  | { readonly id: number; readonly cancel: true };

export type FromWorker =
  | { readonly doneBytes: number; readonly totalBytes: number }
  | { readonly id: number; readonly event: DrawProgress | Part }
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: string };
