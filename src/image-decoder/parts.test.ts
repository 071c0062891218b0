/** The published sizes, as their config.json files say them: as many parameters as the published models have. */
import { expect, test } from "vitest";
import { readClipTextConfig, readClipVisionConfig } from "../models/clip-config.ts";
import { readUnetConfig, readVaeConfig } from "../models/diffusers-config.ts";
import { type BuiltPart, imageEncoderPart, textEncoderPart, unetPart, vaePart } from "./parts.ts";

const attends = ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"];
const unet = {
  _class_name: "UNet2DConditionModel",
  act_fn: "silu",
  attention_head_dim: 8,
  block_out_channels: [320, 640, 1280, 1280],
  center_input_sample: false,
  cross_attention_dim: 768,
  down_block_types: attends,
  downsample_padding: 1,
  flip_sin_to_cos: true,
  freq_shift: 0,
  in_channels: 4,
  layers_per_block: 2,
  mid_block_scale_factor: 1,
  norm_eps: 1e-5,
  norm_num_groups: 32,
  out_channels: 4,
  sample_size: 64,
  up_block_types: ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
};
const unclipUnet = {
  ...unet,
  attention_head_dim: [5, 10, 20, 20],
  class_embed_type: "projection",
  cross_attention_dim: 1024,
  dual_cross_attention: false,
  num_class_embeds: null,
  only_cross_attention: false,
  projection_class_embeddings_input_dim: 2048,
  resnet_time_scale_shift: "default",
  sample_size: 96,
  upcast_attention: true,
  use_linear_projection: true,
};
const vae = {
  act_fn: "silu",
  block_out_channels: [128, 256, 512, 512],
  down_block_types: Array(4).fill("DownEncoderBlock2D"),
  in_channels: 3,
  latent_channels: 4,
  layers_per_block: 2,
  norm_num_groups: 32,
  out_channels: 3,
  sample_size: 512,
  up_block_types: Array(4).fill("UpDecoderBlock2D"),
};
const text = { vocab_size: 49408, max_position_embeddings: 77, layer_norm_eps: 1e-5 };
const [L, H, W] = [
  { hidden_size: 768, intermediate_size: 3072, num_attention_heads: 12, num_hidden_layers: 12 },
  { hidden_size: 1024, intermediate_size: 4096, num_attention_heads: 16, num_hidden_layers: 23, hidden_act: "gelu" },
  { hidden_size: 1280, intermediate_size: 5120, num_attention_heads: 16, num_hidden_layers: 32, hidden_act: "gelu" },
];
const picture = { image_size: 224, patch_size: 14, projection_dim: 1024 };

test.each<[string, () => BuiltPart, number]>([
  ["UNet of Stable Diffusion 1.x", () => unetPart(readUnetConfig(unet, "unet"), 77), 859_520_964],
  ["UNet of 2.1 unCLIP", () => unetPart(readUnetConfig(unclipUnet, "unet"), 77), 865_910_724 + 4_262_400],
  ["VAE without its encoder", () => vaePart(readVaeConfig(vae, "vae"), 64), 83_653_863 - 34_163_592 - 72],
  ["CLIP ViT-L/14 text", () => textEncoderPart(readClipTextConfig({ ...text, ...L }, "text")), 123_060_480],
  ["OpenCLIP-H text, 23 layers", () => textEncoderPart(readClipTextConfig({ ...text, ...H }, "text")), 340_387_840],
  ["CLIP ViT-H/14", () => imageEncoderPart(readClipVisionConfig({ ...picture, ...W }, "image")), 632_076_800],
])("%s", (_, build, parameters) => {
  const sizes = build().stored.shapes.map(([, shape]) => shape.reduce((a, b) => a * b, 1));
  expect(sizes.reduce((a, b) => a + b)).toBe(parameters);
});
