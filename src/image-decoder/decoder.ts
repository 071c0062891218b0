/** What every image decoder has in common: generation embeddings in, pictures out. arXiv 2307.08041 section 3.3. */

/** What a decoder is conditioned on, for one picture. Its rank tells the kinds apart. */
export interface GenerationEmbedding {
  /** [width] of an image embedding (v2), or [tokens,width] of text features (v1). */
  readonly shape: readonly number[];
  readonly data: Float32Array;
}
