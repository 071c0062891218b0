/** What every image decoder has in common: generation embeddings in, pictures out. arXiv 2307.08041 section 3.3. */
import { UsageError } from "../base/errors.ts";
import type { RgbImage } from "../image/index.ts";

/** What a decoder is conditioned on, for one picture. Its rank tells the kinds apart. */
export interface GenerationEmbedding {
  /** [width] of an image embedding (v2), [tokens,width] of text features (v1), or [channels,rows,columns] of a draft. */
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** The published two, and ours: a draft of the latents, a soft picture that the decoder sharpens. */
export type EmbeddingKind = "image" | "text" | "draft";

export function kindOf({ shape }: Pick<GenerationEmbedding, "shape">): EmbeddingKind {
  return shape.length === 1 ? "image" : shape.length === 2 ? "text" : "draft";
}

export interface DecoderOptions {
  /**
   * Where the noise comes from: one seed for all pictures, so that a picture depends on its embedding and this number
   * only, or one per picture. Default 0.
   */
  readonly seed?: number | readonly number[];
  /** Evaluations of the diffusion model. Default: that of the model. */
  readonly steps?: number;
  /** 1 means no guidance; more follows the embedding more closely, with less variety. Default: that of the model. */
  readonly guidanceScale?: number;
  /**
   * Factor on the noise that sampling starts from, 0 to 1: less invents less detail and varies less from seed to seed (the
   * truncation of Brock et al. 2019). Default: that of the model for drafts, 1 for all else.
   */
  readonly noiseScale?: number;
  /** Pictures computed at a time. Default 8; 1 for Stable Diffusion. */
  readonly batch?: number;
  /** Stops before the next evaluation; the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Called after each evaluation with how many of all are done. */
  readonly onStep?: (done: number, total: number) => void;
}

export interface ImageDecoder<Options extends DecoderOptions = DecoderOptions> {
  /** The kinds of embeddings that it decodes, the one that it was made for first. */
  readonly accepts: readonly EmbeddingKind[];
  /** Rows and columns of the pictures, px. */
  readonly imageSize: number;
  /**
   * The same embedding, seed and settings give the same picture, whatever else is in the batch.
   * @throws UsageError for an embedding of another kind or shape.
   */
  decode(embeddings: readonly GenerationEmbedding[], options?: Options): Promise<RgbImage[]>;
  close(): Promise<void>;
}

/** @throws UsageError naming the shapes. */
export function expectShape({ shape, data }: GenerationEmbedding, expected: readonly number[], fix: string): void {
  const size = expected.reduce((a, b) => a * b, 1);
  if (shape.join() === expected.join() && data.length === size) return;
  throw new UsageError(
    `decode: expected f32 [${expected.join()}], got [${shape.join()}] of ${data.length} numbers. ${fix}`,
  );
}
