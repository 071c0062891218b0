import { describe, expect, it, test } from "vitest";
import { input, Params, staticSize } from "../graph/index.ts";
import { readUnetConfig, readVaeConfig } from "./diffusers-config.ts";
import { unet } from "./unet.ts";
import { vaeDecode, vaeEncode } from "./vae.ts";

/** Stable Diffusion 1.4, the fields that its file holds. */
const sd1 = {
  _class_name: "UNet2DConditionModel",
  _diffusers_version: "0.2.2",
  act_fn: "silu",
  attention_head_dim: 8,
  block_out_channels: [320, 640, 1280, 1280],
  center_input_sample: false,
  cross_attention_dim: 768,
  down_block_types: ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
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

/** Stable Diffusion 2.1 unCLIP. */
const unclip = {
  ...sd1,
  attention_head_dim: [5, 10, 20, 20],
  cross_attention_dim: 1024,
  sample_size: 96,
  use_linear_projection: true,
  class_embed_type: "projection",
  projection_class_embeddings_input_dim: 2048,
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

const parameters = (p: Params): number => [...p.declared().values()].reduce((sum, t) => sum + staticSize(t.shape), 0);

test.each([
  ["Stable Diffusion 1.4", sd1, 859_520_964],
  ["Stable Diffusion 2.1 unCLIP", unclip, 870_173_124],
] as const)("%s has as many parameters as published", (_, json, count) => {
  const config = readUnetConfig(json, "config.json");
  const { sampleSize: side, crossAttentionDim: width } = config;
  const p = new Params();
  const classes = config.classEmbedType && input("classes", ["B", 2048]);
  unet(p, input("x", ["B", 4, side, side]), input("t", ["B"]), input("context", ["B", 77, width]), config, classes);
  expect(parameters(p)).toBe(count);
});

test("their autoencoder has as many parameters as published", () => {
  const p = new Params();
  const config = readVaeConfig(vae, "config.json");
  vaeDecode(p, vaeEncode(p, input("x", ["B", 3, 512, 512]), config).mean, config);
  expect(parameters(p)).toBe(83_653_863);
});

describe("readUnetConfig", () => {
  it.each([
    [{ ...sd1, up_block_types: ["UpBlock2D"] }, "expected 4 up_block_types, one for each level, got 1."],
    [{ ...sd1, attention_head_dim: [8, 8] }, "expected 4 attention_head_dim, one for each level, got 2."],
    [{ ...sd1, class_embed_type: "projection" }, "expected projection_class_embeddings_input_dim, got none."],
    [{ ...sd1, dual_cross_attention: true }, "dual_cross_attention: Invalid input: expected false"],
    [
      { ...sd1, transformer_layers_per_block: [1, 2, 10, 10] },
      "transformer_layers_per_block: Invalid input: expected 1",
    ],
    [{ ...sd1, sample_size: undefined }, "sample_size: Invalid input: expected number, received undefined"],
  ])("refuses what it would not reproduce, case %#", (json, message) => {
    expect(() => readUnetConfig(json, "unet/config.json")).toThrow(`unet/config.json: ${message}`);
  });
});
