/**
 * A bidirectional text encoder: CLIP's layers and key names without the causal mask, and the mean
 * of all tokens as the caption's embedding. With the causal mask the first noun of "a dog to the left of a cat" cannot
 * know where it stands, and a small model that pools one token takes long to learn it. Ours; a model with the causal mask
 * is `clip.ts`.
 */
import { constant, normal, type Params, type Tensor } from "../graph/index.ts";
import { embedding, layerNorm, linear, paddingMask } from "../nn/index.ts";
import { clipLayers, type TextEncoderConfig } from "./clip.ts";

export interface CaptionEncoding {
  /** f32 [B,L,D], after the final norm; rows after the end token are meaningless. */
  readonly features: Tensor;
  /** f32 [B,width], not normalized. */
  readonly embedding: Tensor;
}

/** Word and position embeddings start at the residual stream's standard deviation, not at CLIP's 0.02 and 0.01. */
const STD = 0.5;

/**
 * ids: i32 [B,L], end: i32 [B] (position of the end token). Keys `text_model.*` as in CLIP, `clip.text_projection.weight`
 * [width,D].
 */
export function captionEncoder(
  p: Params,
  ids: Tensor,
  end: Tensor,
  config: TextEncoderConfig,
  width: number,
): CaptionEncoding {
  const { vocabulary, maxPositions, width: D, eps = 1e-5 } = config;
  const [B, L] = [ids.dim(0), ids.size(1)];
  const model = p.at("text_model");
  const positions = constant(Int32Array.from({ length: L }, (_, i) => i));
  const present = constant(1).sub(end.reshape([B, 1]).less(positions).cast("f32")); // [B,L], 1 up to the end token
  const words = embedding(model.at("embeddings", "token_embedding"), ids, vocabulary, D, STD);
  const x = words.add(embedding(model.at("embeddings", "position_embedding"), positions, maxPositions, D, STD));
  const read = clipLayers(model, x, config, { mask: paddingMask(present.cast("i32")), name: "text" });
  const features = layerNorm(model.at("final_layer_norm"), read, eps);
  const mean = present.reshape([B, 1, L]).matmul(features).reshape([B, D]).div(present.sum(-1, true));
  const projection = p.at("clip", "text_projection");
  return { features, embedding: linear(projection, mean, width, { bias: false, init: normal(D ** -0.5) }) };
}
