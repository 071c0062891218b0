import { expect, test } from "vitest";
import { readPixArtConfig } from "./pixart-config.ts";

const alpha = {
  _class_name: "PixArtTransformer2DModel",
  _diffusers_version: "0.35.1",
  activation_fn: "gelu-approximate",
  attention_bias: true,
  attention_head_dim: 72,
  caption_channels: 4096,
  cross_attention_dim: 1152,
  in_channels: 4,
  norm_type: "ada_norm_single",
  num_attention_heads: 16,
  num_layers: 28,
  out_channels: 8,
  patch_size: 2,
  sample_size: 64,
};

test("PixArt-alpha at 512 px, and a small model without captions", () => {
  expect(readPixArtConfig(alpha, "config.json")).toEqual({
    sampleSize: 64,
    inChannels: 4,
    outChannels: 8,
    patchSize: 2,
    numLayers: 28,
    numAttentionHeads: 16,
    attentionHeadDim: 72,
    crossAttentionDim: 1152,
    captionChannels: 4096,
    activationFn: "gelu-approximate",
  });
  const { caption_channels: _, cross_attention_dim: __, ...small } = alpha;
  const read = readPixArtConfig({ ...small, sample_size: 16, in_channels: 16, activation_fn: "gelu" }, "config.json");
  expect(read).toMatchObject({ sampleSize: 16, inChannels: 16, crossAttentionDim: undefined, activationFn: "gelu" });
});

test("what would change the numbers is refused", () => {
  const read = (more: object) => () => readPixArtConfig({ ...alpha, ...more }, "config.json");
  expect(read({ sample_size: 128 })).toThrow(
    "config.json: expected a model without conditioning on size and aspect ratio",
  );
  expect(read({ interpolation_scale: 2 })).toThrow("config.json: expected interpolation_scale 1, got 2.");
  expect(read({ cross_attention_dim: 768 })).toThrow("expected cross_attention_dim 1152, the width that captions");
  expect(read({ activation_fn: "geglu" })).toThrow("activation_fn");
  expect(read({ norm_type: "layer_norm" })).toThrow("norm_type");
  expect(read({ gates: true })).toThrow("gates");
});
