/** The graphs of a model folder, as far as it holds their weights. Built with one scope, so that every weight has one name. */
import { input, type Outputs, Params, type Tensor } from "../graph/index.ts";
import { clipImage, clipText } from "../models/clip-pair.ts";
import { type ModelConfig, seedConfig } from "../models/config.ts";
import { imageFeature, textFeature, textHidden } from "../models/contrastive.ts";
import { missingCodes } from "../models/quantizer.ts";
import {
  causalEmbeddings,
  decodeVectors,
  draftOf,
  imageEmbedding,
  quantize,
  queriesOf,
  reconstructEmbeddings,
  textFeatures,
  visionFeatures,
} from "../models/seed-tokenizer.ts";
import { normalize } from "../nn/index.ts";

/**
 * B is symbolic everywhere. Q: queries, 32 as published; F: width of the contrastive space, Fc: of the CLIP pair's, E: of
 * a code, W: of a causal embedding, D: of a text feature; L: tokens of a text.
 */
export interface SeedGraphs {
  /** pixels f32 [B,3,Y,X] -> ids i32 [B,Q] and embedding f32 [B,F] (unit), or else embeddings f32 [B,Q,W]. */
  readonly encodeImage: Outputs;
  /** pixels -> embeddings f32 [B,Q,W], not quantized. */
  readonly causalEmbeddings: Outputs;
  /** ids, mask i32 [B,L] -> embedding f32 [B,F] (unit). */
  readonly encodeText?: Outputs;
  /** vectors f32 [B,Q,E] -> embedding f32 [B,F] (unit) of the rebuilt causal embeddings, or else those, f32 [B,Q,W]. */
  readonly embedCodes?: Outputs;
  /** vectors f32 [B,Q,E] -> image f32 [B,Fc] (v2), text f32 [B,tokens,D] (v1), draft f32 [B,C,Y,X] (ours). */
  readonly generationEmbedding?: Outputs;
  /** pixels -> embedding f32 [B,Fc]. */
  readonly clipImage?: Outputs;
  /** ids i32 [B,L], end i32 [B] -> features f32 [B,L,D], embedding f32 [B,Fc]. */
  readonly clipText?: Outputs;
}

export type ProgramName = keyof SeedGraphs;

/** Tokens of a caption in the published evaluation of retrieval; training cuts at 32. */
const PUBLISHED_TOKENS = 35;

/** Tokens that the text side reads. What follows a caption is padding, which changes nothing. */
export function textLength({ textEncoder, qformer }: Pick<ModelConfig, "textEncoder" | "qformer">): number {
  return textEncoder?.maxPositions ?? Math.min(qformer.maxPositions ?? 0, PUBLISHED_TOKENS);
}

export function seedGraphs(config: ModelConfig, p: Params = new Params()): SeedGraphs {
  const seed = seedConfig(config);
  const { vision, qformer, contrastiveWidth, codebook, reconstructs = codebook !== undefined, textEncoder } = config;
  const [L, Q] = [textLength(config), queriesOf(config)];
  const pixels = (): Tensor => input("pixels", ["B", 3, vision.imageSize, vision.imageSize]);
  const ids = (): Tensor => input("ids", ["B", L], "i32");
  const mask = (): Tensor => input("mask", ["B", L], "i32");
  const decoded = (): Tensor => decodeVectors(p, input("vectors", ["B", Q, seed.codebook.width]), seed);

  const y = causalEmbeddings(p, visionFeatures(p, pixels(), seed), seed);
  const codes: Outputs = codebook ? { ids: quantize(p, y, seed).ids } : {};
  const embedding: Outputs = contrastiveWidth ? { embedding: imageFeature(p, y, seed) } : {};
  const encoded = { ...codes, ...embedding };
  if (codebook?.missing) missingCodes(p.at("quantize"), Q, codebook.width); // no graph reads it, see code-vectors.ts
  const graphs: { -readonly [Name in keyof SeedGraphs]: SeedGraphs[Name] } = {
    encodeImage: Object.keys(encoded).length > 0 ? encoded : { embeddings: y },
    causalEmbeddings: { embeddings: y },
  };
  if (config.contrastiveText === "clip" && config.clipWidth && textEncoder) {
    const end = mask().cast("f32").sum(1).sub(1).cast("i32"); // the last token that is not padding
    const pair = { clipWidth: config.clipWidth, textEncoder };
    graphs.encodeText = { embedding: normalize(clipText(p, ids(), end, pair).embedding) };
  } else if (qformer.vocabulary && contrastiveWidth) {
    const hidden = textHidden(p, ids(), mask(), seed.qformer);
    graphs.encodeText = { embedding: textFeature(p, hidden, seed) };
  }
  if (codebook && reconstructs) {
    const rebuilt = reconstructEmbeddings(p, decoded(), seed);
    graphs.embedCodes = contrastiveWidth ? { embedding: imageFeature(p, rebuilt, seed) } : { embeddings: rebuilt };
  }
  if (codebook && (config.image || config.text || config.draft))
    graphs.generationEmbedding = {
      ...(config.draft ? { draft: draftOf(p, reconstructEmbeddings(p, decoded(), seed), seed) } : {}),
      ...(config.image ? { image: imageEmbedding(p, decoded(), seed) } : {}),
      ...(config.text ? { text: textFeatures(p, decoded(), seed) } : {}),
    };
  if (config.clipWidth && textEncoder) {
    const pair = { vision, clipWidth: config.clipWidth, clipGrid: config.clipGrid, textEncoder };
    graphs.clipImage = { embedding: clipImage(p, pixels(), pair) };
    graphs.clipText = { ...clipText(p, ids(), input("end", ["B"], "i32"), pair) };
  }
  return graphs;
}
