import { describe, expect, it, test } from "vitest";
import { input, Params, paramAttrs, staticSize } from "../graph/index.ts";
import { initialValues } from "../nn/index.ts";
import { evaluate } from "../runtime/reference.ts";
import { readUnetConfig, readVaeConfig } from "./diffusers-config.ts";
import { unet } from "./unet.ts";
import { latentsToPixels, vaeDecode, vaeEncode } from "./vae.ts";

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

describe("readVaeConfig", () => {
  it("takes latents normalized by channel, and a middle without attention", () => {
    const own = { latents_mean: [0, 1, -2, 0.5], latents_std: [1, 2, 0.5, 3], scaling_factor: 1 };
    const config = readVaeConfig({ ...vae, ...own, mid_block_add_attention: false }, "config.json");
    expect(config).toMatchObject({ latentsMean: own.latents_mean, latentsStd: own.latents_std, scalingFactor: 1 });
    const keys = (json: object): string[] => {
      const p = new Params();
      const sizes = readVaeConfig(json, "config.json");
      vaeDecode(p, vaeEncode(p, input("x", ["B", 3, 64, 64]), sizes).mean, sizes);
      return [...p.declared().keys()];
    };
    expect(keys(vae).filter((path) => path.includes("attentions")).length).toBeGreaterThan(0);
    expect(keys({ ...vae, mid_block_add_attention: false })).toEqual(
      keys(vae).filter((path) => !path.includes("attentions")),
    );
    expect(readVaeConfig({ ...vae, latents_mean: null, latents_std: null }, "config.json").latentsMean).toBeUndefined();
  });

  it.each([
    [{ latents_mean: [0, 0, 0] }, "expected 4 latents_mean, one for each channel, got 3."],
    [{ latents_std: [1, 1, 1, 1, 1] }, "expected 4 latents_std, one for each channel, got 5."],
    [{ latents_std: [1, 1, 0, 1] }, "latents_std.2: Too small: expected number to be >0"],
    [{ latents_mean: [0, "0", 0, 0] }, "latents_mean.1: Invalid input: expected number, received string"],
    [{ mid_block_add_attention: 1 }, "mid_block_add_attention: Invalid input: expected boolean, received number"],
    [{ shift_factor: 0.1 }, "shift_factor: Invalid input"],
  ])("refuses what it would not reproduce, case %#", (changes, message) => {
    expect(() => readVaeConfig({ ...vae, ...changes }, "vae/config.json")).toThrow(`vae/config.json: ${message}`);
  });
});

test("latents of a config with mean and deviation are scaled as by hand", () => {
  const small = { ...vae, block_out_channels: [8], norm_num_groups: 4, layers_per_block: 1, latent_channels: 2 };
  const levels = { down_block_types: ["DownEncoderBlock2D"], up_block_types: ["UpDecoderBlock2D"] };
  const stats = { latents_mean: [0.5, -1], latents_std: [2, 0.25], scaling_factor: 0.5 };
  const z = [1, -1, 0.5, 2, 0, 1, -2, 0.25];
  const byHand = z.map((x, i) => (x * (i < 4 ? 2 : 0.25)) / 0.5 + (i < 4 ? 0.5 : -1));
  const pixels = (json: object, latents: number[]): number[] => {
    const config = readVaeConfig({ ...small, ...levels, ...json }, "config.json");
    const p = new Params();
    const out = latentsToPixels(p, input("z", [1, 2, 2, 2]), config);
    const params = (path: string): Float32Array => {
      const { shape, init } = paramAttrs(p.declared().get(path)!);
      return initialValues(path, shape, init, 1);
    };
    return [...evaluate([out], { feeds: { z: latents }, params })[0]!.data];
  };
  const got = pixels(stats, z);
  expect(got).toHaveLength(12);
  for (const [i, wanted] of pixels({ scaling_factor: 1 }, byHand).entries()) expect(got[i]).toBeCloseTo(wanted, 6);
  expect(Math.abs(got[0]! - pixels({ scaling_factor: 1 }, z)[0]!)).toBeGreaterThan(1e-3);
});
