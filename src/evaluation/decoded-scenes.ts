/** Scenes as a model reconstructs them, each picture decoded once however many scores use it. */
import type { Scene } from "../data/index.ts";
import type { RgbImage } from "../image/index.ts";
import type { SeedTokenizer } from "../image-tokenizer/seed-tokenizer.ts";
import { imageOf } from "./scores.ts";

export interface DecodingProgress {
  readonly signal?: AbortSignal;
  /** `what` is decoded: "codes", "captions". */
  readonly onProgress?: (what: string, done: number, total: number) => void;
}

/** Pictures decoded at a time. A picture takes as long in batches of 8 as in batches of 32 (measured). */
const DECODED = 32;

export class DecodedScenes {
  readonly tokenizer: SeedTokenizer;
  readonly scenes: readonly Scene[];
  readonly originals: readonly RgbImage[];
  readonly #progress: DecodingProgress;
  readonly #made = new Map<string, Promise<RgbImage[]>>();
  #codes: Promise<Int32Array[]> | undefined;

  constructor(tokenizer: SeedTokenizer, scenes: readonly Scene[], progress: DecodingProgress = {}) {
    this.tokenizer = tokenizer;
    this.scenes = scenes;
    this.originals = scenes.map(imageOf);
    this.#progress = progress;
  }

  codes(): Promise<Int32Array[]> {
    this.#codes ??= this.tokenizer
      .encode(this.originals, { batch: 64 })
      .then((encoded) => encoded.map(({ codes }) => codes));
    return this.#codes;
  }

  /** From all codes, or from the first `keep`. The seed of each picture is its number. */
  fromCodes(keep?: number): Promise<RgbImage[]> {
    const what = keep === undefined ? "codes" : `first ${keep}`;
    return this.#once(what, async (options) => this.tokenizer.decode(await this.codes(), { ...options, keep }));
  }

  /** Straight from the captions. */
  fromCaptions(): Promise<RgbImage[]> {
    const captions = this.scenes.map(({ caption }) => caption);
    return this.#once("captions", (options) => this.tokenizer.decodeText(captions, options));
  }

  /** From all codes, without the diffusion model; undefined if the model has no drafts. */
  async drafts(): Promise<RgbImage[] | undefined> {
    if (!this.tokenizer.capabilities.has("decodeDraft")) return undefined;
    return this.#once("drafts", async ({ signal }) => this.tokenizer.decodeDraft(await this.codes(), { signal }));
  }

  #once(what: string, decode: (options: DecodeOptions) => Promise<RgbImage[]>): Promise<RgbImage[]> {
    const known = this.#made.get(what);
    if (known) return known;
    const { signal, onProgress } = this.#progress;
    const onStep = (done: number, total: number): void => onProgress?.(what, done, total);
    const made = decode({ seed: this.scenes.map((_, i) => i), batch: DECODED, signal, onStep });
    this.#made.set(what, made);
    return made;
  }
}

interface DecodeOptions {
  readonly seed: readonly number[];
  readonly batch: number;
  readonly signal: AbortSignal | undefined;
  readonly onStep: (done: number, total: number) => void;
}
