/**
 * CLIP's own vision transformer with Hugging Face's key names: ViT-H/14 is SEED v2's teacher and gives unCLIP its image
 * embeddings. Radford et al. 2021; transformers' `CLIPVisionModelWithProjection`.
 */
import { concat, normal, type Params, type Tensor } from "../graph/index.ts";
import { layerNorm, linear } from "../nn/index.ts";
import { type ClipLayersConfig, clipLayers } from "./clip.ts";
import { patchEmbed, vitTokens } from "./eva-vit.ts";

export interface ClipVisionConfig extends ClipLayersConfig {
  /** Rows and columns of the picture, px. */
  readonly imageSize: number;
  readonly patchSize: number;
  /** Width of the image embedding. */
  readonly projection: number;
}

/**
 * pixels: f32 [B,3,Y,X], normalized -> image embedding f32 [B,F], of the class token, not normalized.
 * Keys `vision_model.*` (`pre_layrnorm` is their spelling), `visual_projection.weight` [F,D].
 */
export function clipVision(p: Params, pixels: Tensor, config: ClipVisionConfig): Tensor {
  const { width: D, patchSize, projection, eps = 1e-5 } = config;
  const [B, tokens] = [pixels.dim(0), vitTokens(config)];
  const model = p.at("vision_model");
  const embeddings = model.at("embeddings");
  const patches = patchEmbed(embeddings.at("patch_embedding"), pixels, D, patchSize, false); // [B,P,D]
  const cls = embeddings.get("class_embedding", [D], normal(0.02)).reshape([1, 1, D]).expand([B, 1, D]);
  const positions = embeddings.at("position_embedding").get("weight", [tokens, D], normal(0.02));
  const x = layerNorm(model.at("pre_layrnorm"), concat([cls, patches], 1).add(positions), eps);
  const hidden = clipLayers(model, p.tap("image.embed", x), config, { name: "image" });
  const pooled = layerNorm(model.at("post_layernorm"), hidden.slice(1, 0, 1).reshape([B, D]), eps);
  return linear(p.at("visual_projection"), pooled, projection, { bias: false, init: normal(D ** -0.5) });
}
