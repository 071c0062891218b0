/** Reads the config.json of diffusers' `PixArtTransformer2DModel`. Unsupported options that change results are refused. */
import { z } from "zod";
import { InputError } from "../base/errors.ts";
import { parseWith } from "../base/parse-with.ts";
import { count } from "./config.ts";
import type { PixArtConfig } from "./pixart.ts";

/** Absent, null or this value. */
const only = <T extends string | number | boolean>(value: T) => z.literal(value).nullish();

const parse = parseWith(
  z.strictObject({
    _class_name: only("PixArtTransformer2DModel"),
    _diffusers_version: z.string().optional(),
    _name_or_path: z.string().optional(),
    sample_size: count.default(128),
    in_channels: count.default(4),
    out_channels: count.default(8),
    patch_size: count.default(2),
    num_layers: count.max(200).default(28),
    num_attention_heads: count.default(16),
    attention_head_dim: count.default(72),
    cross_attention_dim: count.nullish(),
    caption_channels: count.nullish(),
    activation_fn: z.enum(["gelu", "gelu-approximate"]).default("gelu-approximate"),
    attention_bias: only(true),
    attention_type: only("default"),
    dropout: only(0),
    double_self_attention: only(false),
    interpolation_scale: z.number().positive().nullish(),
    norm_elementwise_affine: only(false),
    norm_eps: only(1e-6),
    norm_num_groups: count.optional(), // not used by the model
    norm_type: only("ada_norm_single"),
    num_embeds_ada_norm: count.nullish(), // not used by the model
    num_vector_embeds: z.null().optional(),
    only_cross_attention: only(false),
    upcast_attention: only(false),
    use_additional_conditions: z.boolean().nullish(),
    use_linear_projection: only(false),
  }),
);

/**
 * `where` names the file in messages.
 * @throws InputError naming every field that is missing, wrong or not supported.
 */
export function readPixArtConfig(json: unknown, where: string): PixArtConfig {
  const config = parse(json, where);
  // diffusers: by default the size and the aspect ratio join the timestep in models of 128 x 128 latents.
  if (config.use_additional_conditions ?? config.sample_size === 128)
    throw new InputError(
      `${where}: expected a model without conditioning on size and aspect ratio, got use_additional_conditions. Use one of at most 64 x 64 latents.`,
    );
  const usual = Math.max(Math.floor(config.sample_size / 64), 1);
  if ((config.interpolation_scale ?? usual) !== usual)
    throw new InputError(`${where}: expected interpolation_scale ${usual}, got ${config.interpolation_scale}.`);
  const width = config.attention_head_dim * config.num_attention_heads;
  if ((config.cross_attention_dim ?? width) !== width && config.caption_channels)
    throw new InputError(
      `${where}: expected cross_attention_dim ${width}, the width that captions are projected to, got ${config.cross_attention_dim}.`,
    );
  return {
    sampleSize: config.sample_size,
    inChannels: config.in_channels,
    outChannels: config.out_channels,
    patchSize: config.patch_size,
    numLayers: config.num_layers,
    numAttentionHeads: config.num_attention_heads,
    attentionHeadDim: config.attention_head_dim,
    crossAttentionDim: config.cross_attention_dim ?? undefined,
    captionChannels: config.caption_channels ?? undefined,
    activationFn: config.activation_fn,
  };
}
