/** Reads the config.json of transformers' CLIP encoders, as in diffusers folders. */
import { z } from "zod";
import { InputError } from "../base/errors.ts";
import { parseWith } from "../base/parse-with.ts";
import type { ClipLayersConfig, TextEncoderConfig } from "./clip.ts";
import type { ClipVisionConfig } from "./clip-vision.ts";
import { count } from "./config.ts";

const layers = {
  hidden_size: count,
  intermediate_size: count,
  num_hidden_layers: count.max(1000),
  num_attention_heads: count,
  hidden_act: z.enum(["gelu", "quick_gelu"]).default("quick_gelu"),
  layer_norm_eps: z.number().positive().default(1e-5),
};

const textSchema = z.object({
  ...layers,
  vocab_size: count,
  max_position_embeddings: count.max(4096),
});

const visionSchema = z.object({
  ...layers,
  image_size: count.max(4096),
  patch_size: count,
  projection_dim: count,
  num_channels: z.literal(3).default(3),
});

const parseText = parseWith(textSchema);
const parseVision = parseWith(visionSchema);

/** `CLIPTextModel`'s config.json, parsed. @throws InputError naming every field that is missing, wrong or not supported. */
export function readClipTextConfig(json: unknown, where: string): TextEncoderConfig {
  const config = parseText(json, where);
  return {
    ...layersConfig(config, where),
    vocabulary: config.vocab_size,
    maxPositions: config.max_position_embeddings,
  };
}

/** `CLIPVisionModelWithProjection`'s config.json, parsed. @throws InputError as `readClipTextConfig`. */
export function readClipVisionConfig(json: unknown, where: string): ClipVisionConfig {
  const config = parseVision(json, where);
  const { image_size: imageSize, patch_size: patchSize, projection_dim: projection } = config;
  if (imageSize % patchSize !== 0)
    throw new InputError(`${where}: expected image_size as a multiple of patch_size ${patchSize}, got ${imageSize}.`);
  return { ...layersConfig(config, where), imageSize, patchSize, projection };
}

function layersConfig(config: z.infer<z.ZodObject<typeof layers>>, where: string): ClipLayersConfig {
  const { hidden_size: width, num_attention_heads: heads } = config;
  if (width % heads !== 0)
    throw new InputError(`${where}: expected hidden_size as a multiple of the ${heads} heads, got ${width}.`);
  return {
    width,
    heads,
    depth: config.num_hidden_layers,
    intermediate: config.intermediate_size,
    activation: config.hidden_act,
    eps: config.layer_norm_eps,
  };
}
