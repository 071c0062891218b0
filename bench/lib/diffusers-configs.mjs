/** The published config.json of what is timed, and the inputs of one call. */
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

/** @type {Record<string, { what: "unet" | "vae", side: number, config: Record<string, unknown> }>} */
export const CASES = {
  "UNet of Stable Diffusion 1.x, 64 x 64": { what: "unet", side: 64, config: unet },
  "UNet of Stable Diffusion 2.1 unCLIP, 96 x 96": {
    what: "unet",
    side: 96,
    config: {
      ...unet,
      attention_head_dim: [5, 10, 20, 20],
      class_embed_type: "projection",
      cross_attention_dim: 1024,
      projection_class_embeddings_input_dim: 2048,
      sample_size: 96,
      upcast_attention: true,
      use_linear_projection: true,
    },
  },
  "VAE decoder, 64 x 64 to 512 x 512": {
    what: "vae",
    side: 64,
    config: {
      _class_name: "AutoencoderKL",
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
    },
  },
};
