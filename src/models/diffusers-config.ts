/** Reads the config.json of diffusers' models. Options that would change the results and are not implemented are refused. */
import { z } from "zod";
import { InputError } from "../base/errors.ts";
import { parseWith } from "../base/parse-with.ts";
import { count } from "./config.ts";
import type { UnetConfig } from "./unet.ts";
import type { VaeConfig } from "./vae.ts";

/** A value for each level. */
const counts = z.array(count).nonempty().max(20);
const layers = count.max(100);
/** Absent, null or this value. */
const only = <T extends string | number | boolean>(value: T) => z.literal(value).nullish();
const nothing = z.null().optional();

const parseUnet = parseWith(
  z.object({
    sample_size: count,
    in_channels: count,
    out_channels: count,
    block_out_channels: counts,
    layers_per_block: layers,
    down_block_types: z.array(z.enum(["CrossAttnDownBlock2D", "DownBlock2D"])),
    up_block_types: z.array(z.enum(["CrossAttnUpBlock2D", "UpBlock2D"])),
    cross_attention_dim: count,
    attention_head_dim: z.union([count, counts]).default(8),
    num_attention_heads: z.union([count, counts]).nullish(),
    use_linear_projection: z.boolean().default(false),
    norm_num_groups: count.default(32),
    norm_eps: z.number().positive().default(1e-5),
    flip_sin_to_cos: z.boolean().default(true),
    freq_shift: z.number().default(0),
    class_embed_type: z.literal("projection").nullish(),
    projection_class_embeddings_input_dim: count.nullish(),
    act_fn: only("silu"),
    mid_block_type: only("UNetMidBlock2DCrossAttn"),
    transformer_layers_per_block: only(1),
    downsample_padding: only(1),
    mid_block_scale_factor: only(1),
    resnet_out_scale_factor: only(1),
    resnet_time_scale_shift: only("default"),
    resnet_skip_time_act: only(false),
    time_embedding_type: only("positional"),
    conv_in_kernel: only(3),
    conv_out_kernel: only(3),
    center_input_sample: only(false),
    dual_cross_attention: only(false),
    only_cross_attention: only(false),
    mid_block_only_cross_attention: only(false),
    class_embeddings_concat: only(false),
    attention_type: only("default"),
    addition_embed_type: nothing,
    encoder_hid_dim: nothing,
    num_class_embeds: nothing,
    time_embedding_act_fn: nothing,
    time_embedding_dim: nothing,
    time_cond_proj_dim: nothing,
    timestep_post_act: nothing,
    cross_attention_norm: nothing,
  }),
);

const parseVae = parseWith(
  z.object({
    in_channels: count,
    out_channels: count,
    latent_channels: count,
    block_out_channels: counts,
    layers_per_block: layers,
    norm_num_groups: count.default(32),
    scaling_factor: z.number().positive().default(0.18215),
    patch_size: count.max(64).nullish(),
    down_block_types: z.array(z.literal("DownEncoderBlock2D")),
    up_block_types: z.array(z.literal("UpDecoderBlock2D")),
    act_fn: only("silu"),
    mid_block_add_attention: z.boolean().default(true),
    use_quant_conv: only(true),
    use_post_quant_conv: only(true),
    latents_mean: z.array(z.number()).nullish(),
    latents_std: z.array(z.number().positive()).nullish(),
    shift_factor: nothing,
  }),
);

/**
 * `UNet2DConditionModel`'s config.json, parsed. `where` names the file in messages.
 * @throws InputError naming every field that is missing, wrong or not supported.
 */
export function readUnetConfig(json: unknown, where: string): UnetConfig {
  const config = parseUnet(json, where);
  const levels = config.block_out_channels.length;
  const heads = config.num_attention_heads ?? config.attention_head_dim;
  for (const [name, list] of Object.entries({
    down_block_types: config.down_block_types,
    up_block_types: config.up_block_types,
    attention_head_dim: typeof heads === "number" ? config.block_out_channels : heads,
  }))
    if (list.length !== levels)
      throw new InputError(`${where}: expected ${levels} ${name}, one for each level, got ${list.length}.`);
  const classWidth = config.projection_class_embeddings_input_dim;
  if (config.class_embed_type && !classWidth)
    throw new InputError(`${where}: expected projection_class_embeddings_input_dim, got none.`);
  return {
    sampleSize: config.sample_size,
    inChannels: config.in_channels,
    outChannels: config.out_channels,
    blockOutChannels: config.block_out_channels,
    layersPerBlock: config.layers_per_block,
    downBlockTypes: config.down_block_types,
    upBlockTypes: config.up_block_types,
    crossAttentionDim: config.cross_attention_dim,
    attentionHeads: heads,
    useLinearProjection: config.use_linear_projection,
    normNumGroups: config.norm_num_groups,
    normEps: config.norm_eps,
    flipSinToCos: config.flip_sin_to_cos,
    freqShift: config.freq_shift,
    ...(config.class_embed_type && classWidth
      ? { classEmbedType: config.class_embed_type, projectionClassEmbeddingsInputDim: classWidth }
      : {}),
  };
}

/** `AutoencoderKL`'s config.json, parsed. @throws InputError as `readUnetConfig`. */
export function readVaeConfig(json: unknown, where: string): VaeConfig {
  const config = parseVae(json, where);
  const { latent_channels: channels, latents_mean: mean, latents_std: std } = config;
  for (const [name, list] of Object.entries({ latents_mean: mean, latents_std: std }))
    if (list && list.length !== channels)
      throw new InputError(`${where}: expected ${channels} ${name}, one for each channel, got ${list.length}.`);
  return {
    inChannels: config.in_channels,
    outChannels: config.out_channels,
    latentChannels: config.latent_channels,
    blockOutChannels: config.block_out_channels,
    layersPerBlock: config.layers_per_block,
    normNumGroups: config.norm_num_groups,
    scalingFactor: config.scaling_factor,
    patchSize: config.patch_size ?? 1,
    latentsMean: mean ?? undefined,
    latentsStd: std ?? undefined,
    midBlockAttention: config.mid_block_add_attention,
  };
}
