/**
 * The image autoencoder of latent diffusion: diffusers' `AutoencoderKL`, its key names (with the new attention names
 * `to_q`, `to_k`, `to_v`, `to_out.0`) and results. Rombach et al. 2022.
 */
import { ShapeError } from "../base/errors.ts";
import { item } from "../base/item.ts";
import { constant, type Params, type Tensor } from "../graph/index.ts";
import { attend, conv2d, groupNorm } from "../nn/index.ts";
import { foldPixels, unfoldPixels } from "./fold-pixels.ts";
import { dense, resnet, upsample } from "./resnet2d.ts";

/** The fields of diffusers' config.json, in camel case. */
export interface VaeConfig {
  /** Channels of the picture after patches became channels: 3 patchSize². */
  readonly inChannels: number;
  readonly outChannels: number;
  readonly latentChannels: number;
  /** Width of each level; all levels but the last halve rows and columns. */
  readonly blockOutChannels: readonly number[];
  readonly layersPerBlock: number;
  /** Default 32. */
  readonly normNumGroups?: number;
  /** What latents are multiplied by so that they have unit variance. Default 0.18215 (Stable Diffusion 1 and 2). */
  readonly scalingFactor?: number;
  /** Mean and deviation of each channel of the latents, if they are normalized by channel. */
  readonly latentsMean?: readonly number[];
  readonly latentsStd?: readonly number[];
  /** Attention over all positions between encoder and decoder. Default true. */
  readonly midBlockAttention?: boolean;
  /**
   * Side, px, of the squares of pixels that become channels before the first convolution, which spares a small model the
   * wide convolutions at full size. Default 1, as in `AutoencoderKL`; the name is that of diffusers' `AutoencoderKLWan`.
   */
  readonly patchSize?: number;
}

/** A normal distribution per element of the latents. */
export interface LatentDistribution {
  /** f32 [B,latent,y,x]. */
  readonly mean: Tensor;
  /** f32 [B,latent,y,x], within -30..20. */
  readonly logVariance: Tensor;
}

const EPS = 1e-6;

/** Pixels per side of one latent. */
export function vaeFactor({ blockOutChannels, patchSize = 1 }: VaeConfig): number {
  return patchSize * 2 ** (blockOutChannels.length - 1);
}

/**
 * pixels: f32 [B,3,Y,X] within -1..1; Y and X multiples of `vaeFactor`. Not yet scaled: multiply a sample by
 * `scalingFactor` before diffusion. Keys `encoder.*`, `quant_conv`.
 * @throws ShapeError if the size is not such a multiple.
 */
export function vaeEncode(p: Params, pixels: Tensor, config: VaeConfig): LatentDistribution {
  const { blockOutChannels: widths, layersPerBlock, latentChannels: C, normNumGroups: groups = 32 } = config;
  const factor = vaeFactor(config);
  if (pixels.size(2) % factor !== 0 || pixels.size(3) % factor !== 0)
    throw new ShapeError(`vae: expected pixels with rows and columns multiples of ${factor}, got [${pixels.shape}].`);
  const encoder = p.at("encoder");
  let h = conv2d(encoder.at("conv_in"), foldPixels(pixels, config.patchSize), item(widths, 0), { kernel: 3 });
  for (const [level, channels] of widths.entries()) {
    const block = encoder.at("down_blocks", level);
    for (let j = 0; j < layersPerBlock; j++) h = resnet(block.at("resnets", j), h, { channels, groups, eps: EPS });
    if (level < widths.length - 1) {
      const padded = h.pad(2, 0, 1).pad(3, 0, 1); // on one side only, as in the original
      h = conv2d(block.at("downsamplers", 0, "conv"), padded, channels, { kernel: 3, stride: 2, padding: 0 });
    }
    p.tap(`vae.encoder.down.${level}`, h);
  }
  h = middle(encoder.at("mid_block"), h, config);
  p.tap("vae.encoder.mid", h);
  h = groupNorm(encoder.at("conv_norm_out"), h, groups, EPS).silu();
  h = conv2d(encoder.at("conv_out"), h, 2 * C, { kernel: 3 });
  const moments = conv2d(p.at("quant_conv"), h, 2 * C, { kernel: 1 });
  const logVariance = moments
    .slice(1, C, 2 * C)
    .maximum(-30)
    .minimum(20);
  return { mean: moments.slice(1, 0, C), logVariance };
}

/**
 * latents: f32 [B,latent,y,x], already divided by `scalingFactor` -> pixels f32 [B,3,Y,X], about -1..1.
 * Keys `post_quant_conv`, `decoder.*`.
 */
export function vaeDecode(p: Params, latents: Tensor, config: VaeConfig): Tensor {
  const { blockOutChannels, layersPerBlock, latentChannels, outChannels, normNumGroups: groups = 32 } = config;
  const widths = blockOutChannels.toReversed();
  const decoder = p.at("decoder");
  let h = conv2d(p.at("post_quant_conv"), latents, latentChannels, { kernel: 1 });
  h = conv2d(decoder.at("conv_in"), h, item(widths, 0), { kernel: 3 });
  h = middle(decoder.at("mid_block"), h, config);
  p.tap("vae.decoder.mid", h);
  for (const [i, channels] of widths.entries()) {
    const block = decoder.at("up_blocks", i);
    for (let j = 0; j <= layersPerBlock; j++) h = resnet(block.at("resnets", j), h, { channels, groups, eps: EPS });
    if (i < widths.length - 1) h = upsample(block, h);
    p.tap(`vae.decoder.up.${i}`, h);
  }
  h = groupNorm(decoder.at("conv_norm_out"), h, groups, EPS).silu();
  return unfoldPixels(conv2d(decoder.at("conv_out"), h, outChannels, { kernel: 3 }), config.patchSize);
}

function middle(p: Params, x: Tensor, { normNumGroups: groups = 32, midBlockAttention = true }: VaeConfig): Tensor {
  const config = { channels: x.size(1), groups, eps: EPS };
  let h = resnet(p.at("resnets", 0), x, config);
  if (midBlockAttention) h = positionAttention(p.at("attentions", 0), h, groups);
  return resnet(p.at("resnets", 1), h, config);
}

/** One head over all positions, residual. x: f32 [B,C,Y,X]. Keys `group_norm`, `to_q`, `to_k`, `to_v`, `to_out.0`. */
function positionAttention(p: Params, x: Tensor, groups: number): Tensor {
  const [B, C, Y, X] = [x.dim(0), x.size(1), x.size(2), x.size(3)];
  const positions = groupNorm(p.at("group_norm"), x, groups, EPS)
    .reshape([B, C, Y * X])
    .transpose([0, 2, 1]); // [B,P,C]
  const part = (name: string): Tensor => dense(p.at(name), positions, C);
  const [q, k, v] = [part("to_q"), part("to_k"), part("to_v")];
  const out = dense(p.at("to_out", 0), attend(q, k, v, 1), C);
  return x.add(out.transpose([0, 2, 1]).reshape([B, C, Y, X]));
}

/** Latents as a diffusion model sees them, f32 [B,latent,y,x] -> pixels f32 [B,3,Y,X] within 0..1. */
export function latentsToPixels(p: Params, latents: Tensor, config: VaeConfig): Tensor {
  const { latentChannels: C, scalingFactor = 0.18215, latentsMean, latentsStd } = config;
  let z = latents.mul(1 / scalingFactor);
  if (latentsStd) z = z.mul(constant(Float32Array.from(latentsStd), [C, 1, 1]));
  if (latentsMean) z = z.add(constant(Float32Array.from(latentsMean), [C, 1, 1]));
  return toUnitRange(vaeDecode(p, z, config));
}

/** Pixels about -1..1 -> within 0..1. */
export function toUnitRange(pixels: Tensor): Tensor {
  return pixels.mul(0.5).add(0.5).maximum(0).minimum(1);
}
