/** What the image tokenizer's methods take and give. */
import type { SamplerName } from "../diffusion/index.ts";
import type { PrepareOptions } from "../image/source.ts";
import type { DiffusionOptions } from "../image-decoder/diffusion-decoder.ts";
import type { BatchOptions } from "../runtime/batches.ts";
import type { TokenizerLoadOptions as WeightOptions } from "../weights/load-options.ts";
import type { KeepOptions } from "./code-vectors.ts";

export interface TokenizedImage {
  /** i32 [32], in causal order: the first carry the most. */
  readonly codes: Int32Array;
}

export interface TokenizerLoadOptions extends WeightOptions {
  /**
   * An image decoder in place of the folder's own: a folder in diffusers' layout of Stable Diffusion 1.x (SEED v1) or 2.1
   * unCLIP (SEED v2), or owner/name of one on the Hub.
   */
  readonly decoder?: string;
  /** The decoder's sampler. Default: that of its folder. */
  readonly scheduler?: SamplerName;
  /** The tokenizer.json of bert-base-uncased, for imported weights with a text side. Default: that in the folder. */
  readonly tokenizer?: string;
}

export interface EncodeOptions extends BatchOptions, Pick<PrepareOptions, "filter"> {}

export interface TextOptions extends BatchOptions {
  /** Captions are truncated to this many tokens, begin and end included. Default: as many as the model was trained with. */
  readonly maxTokens?: number;
}

export interface DecodeCodesOptions extends Omit<DiffusionOptions, "negative">, KeepOptions {
  /** The codes of a picture to guide away from. Default: none. */
  readonly negative?: ArrayLike<number>;
}
