/** The frozen CLIP pair of a model that was trained here: pictures and captions in one space. */
import type { Params, Tensor } from "../graph/index.ts";
import { pooledImageEmbedding, textEmbedding, textEncoder } from "./clip.ts";
import type { SeedlingConfig } from "./config.ts";
import { evaVit } from "./eva-vit.ts";

/** pixels: f32 [B,3,Y,X] -> clip image embedding f32 [B,F]. */
export function clipImage(p: Params, pixels: Tensor, config: Pick<SeedlingConfig, "vision" | "clipWidth">): Tensor {
  const tokens = evaVit(p.at("visual_encoder"), pixels, config.vision);
  return pooledImageEmbedding(p.at("clip"), tokens, config.clipWidth);
}

/** ids: i32 [B,L], end: i32 [B] -> token features f32 [B,L,D] and clip text embedding f32 [B,F]. */
export function clipText(
  p: Params,
  ids: Tensor,
  end: Tensor,
  config: Pick<SeedlingConfig, "textEncoder" | "clipWidth">,
): { features: Tensor; embedding: Tensor } {
  const features = textEncoder(p.at("text_model"), ids, config.textEncoder);
  return { features, embedding: textEmbedding(p.at("clip"), features, end, config.clipWidth) };
}
