/** The graphs of an imported folder. Together they name every tensor that it holds. */

import type { Outputs } from "../../graph/index.ts";
import { input, Params, type Tensor } from "../../graph/index.ts";
import { imageFeature, TEMPERATURE, textFeature, textHidden } from "../../models/contrastive.ts";
import {
  causalEmbeddings,
  decodeVectors,
  imageEmbedding,
  QUERIES,
  quantize,
  reconstructEmbeddings,
  textFeatures,
  visionFeatures,
} from "../../models/seed-tokenizer.ts";
import { scalar } from "../../nn/index.ts";
import { type OfficialConfig, officialSeedConfig } from "./config.ts";

/** B is symbolic. E: width of a code, F: of the contrastive space, D: of a feature; L: the longest text. */
export interface OfficialGraphs {
  /** pixels f32 [B,3,Y,X] -> causal embeddings f32 [B,32,W], and what there is of ids i32 [B,32], feature f32 [B,F]. */
  readonly see: Outputs;
  /** ids, mask i32 [B,L] -> hidden f32 [B,L,W], and feature f32 [B,F] if there is one. */
  readonly read?: Outputs;
  /** vectors f32 [B,32,E] -> causal embeddings f32 [B,32,W]. */
  readonly recall?: Outputs;
  /** vectors f32 [B,32,E] -> image embedding f32 [B,D]. */
  readonly image?: Outputs;
  /** vectors f32 [B,32,E] -> text features f32 [B,tokens,D]. */
  readonly text?: Outputs;
}

export function officialGraphs(config: OfficialConfig, p: Params = new Params()): OfficialGraphs {
  const seed = officialSeedConfig(config);
  const { vision, qformer, contrastiveWidth, codec } = config;
  const pixels = input("pixels", ["B", 3, vision.imageSize, vision.imageSize]);
  const decoded = (): Tensor => decodeVectors(p, input("vectors", ["B", QUERIES, seed.codebook.width]), seed);
  const graphs: { -readonly [K in keyof OfficialGraphs]: OfficialGraphs[K] } & { see: Record<string, Tensor> } = {
    see: { embeddings: causalEmbeddings(p, visionFeatures(p, pixels, seed), seed) },
  };
  if (contrastiveWidth) {
    graphs.see.feature = imageFeature(p, graphs.see.embeddings!, seed);
    scalar(p, "temp", TEMPERATURE);
  }
  if (qformer.vocabulary) {
    const shape = ["B", qformer.maxPositions!];
    const hidden = textHidden(p, input("ids", shape, "i32"), input("mask", shape, "i32"), seed.qformer);
    graphs.read = contrastiveWidth ? { hidden, feature: textFeature(p, hidden, seed) } : { hidden };
  }
  if (codec) graphs.see.ids = quantize(p, graphs.see.embeddings!, seed).ids;
  if (codec?.reconstructs) graphs.recall = { embeddings: reconstructEmbeddings(p, decoded(), seed) };
  if (codec?.image) graphs.image = { image: imageEmbedding(p, decoded(), seed) };
  if (codec?.text) graphs.text = { text: textFeatures(p, decoded(), seed) };
  return graphs;
}
