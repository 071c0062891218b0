/** The frozen CLIP pair of a model that was trained here: pictures and captions in one space. */
import type { Params, Tensor } from "../graph/index.ts";
import { type CaptionEncoding, captionEncoder } from "./caption-encoder.ts";
import { pooledImageEmbedding, textEmbedding, textEncoder } from "./clip.ts";
import type { SeedlingConfig } from "./config.ts";
import { evaVit } from "./eva-vit.ts";
import { gridEmbedding } from "./grid-embedding.ts";

type PairConfig = Pick<SeedlingConfig, "vision" | "textEncoder" | "clipWidth" | "clipGrid">;

/** pixels: f32 [B,3,Y,X] -> clip image embedding f32 [B,F]. */
export function clipImage(
  p: Params,
  pixels: Tensor,
  config: Pick<PairConfig, "vision" | "clipWidth" | "clipGrid">,
): Tensor {
  return clipImageOfTokens(p, evaVit(p.at("visual_encoder"), pixels, config.vision), config);
}

/** The same from the tower's tokens, f32 [B,1+P,W]. */
export function clipImageOfTokens(
  p: Params,
  tokens: Tensor,
  { clipWidth, clipGrid }: Pick<PairConfig, "clipWidth" | "clipGrid">,
): Tensor {
  const pair = p.at("clip");
  return clipGrid ? gridEmbedding(pair, tokens, clipGrid, clipWidth) : pooledImageEmbedding(pair, tokens, clipWidth);
}

/** ids: i32 [B,L], end: i32 [B] -> token features f32 [B,L,D] and clip text embedding f32 [B,F]. */
export function clipText(
  p: Params,
  ids: Tensor,
  end: Tensor,
  { textEncoder: config, clipWidth }: Pick<PairConfig, "textEncoder" | "clipWidth">,
): CaptionEncoding {
  if (config.attention === "all") return captionEncoder(p, ids, end, config, clipWidth);
  const features = textEncoder(p.at("text_model"), ids, config);
  return { features, embedding: textEmbedding(p.at("clip"), features, end, clipWidth) };
}
