/**
 * The denoiser of latent diffusion: diffusers' `UNet2DConditionModel`, its key names and results.
 * Shared by Stable Diffusion 1.x, 2.x, 2.1 unCLIP and the mini model. Rombach et al. 2022.
 */
import { ShapeError } from "../base/errors.ts";
import { given, item } from "../base/item.ts";
import { concat, type Params, type Tensor, zeros } from "../graph/index.ts";
import { conv2d, groupNorm } from "../nn/index.ts";
import { dense, resnet, sinusoid, upsample } from "./resnet2d.ts";
import { spatialTransformer } from "./spatial-transformer.ts";

/** The fields of diffusers' config.json that differ among the supported models, in camel case. */
export interface UnetConfig {
  /** Rows and columns of the latents. */
  readonly sampleSize: number;
  /** Channels of the latents, and of the conditioning that the caller concatenates to them, if any. */
  readonly inChannels: number;
  readonly outChannels: number;
  /** Width of each level. */
  readonly blockOutChannels: readonly number[];
  readonly layersPerBlock: number;
  readonly downBlockTypes: readonly ("CrossAttnDownBlock2D" | "DownBlock2D")[];
  readonly upBlockTypes: readonly ("CrossAttnUpBlock2D" | "UpBlock2D")[];
  /** Width of the context. */
  readonly crossAttentionDim: number;
  /** Heads of each level. config.json calls this `attention_head_dim`, though it counts heads. */
  readonly attentionHeads: number | readonly number[];
  /** Default false; true in Stable Diffusion 2. */
  readonly useLinearProjection?: boolean;
  /** Default 32. */
  readonly normNumGroups?: number;
  /** Default 1e-5. */
  readonly normEps?: number;
  /** Cosines before sines in the timestep embedding. Default true. */
  readonly flipSinToCos?: boolean;
  /** Default 0. */
  readonly freqShift?: number;
  /** "projection": a class vector goes through an MLP and joins the timestep embedding (unCLIP). */
  readonly classEmbedType?: "projection";
  /** Width E of that vector. */
  readonly projectionClassEmbeddingsInputDim?: number;
}

/**
 * x: f32 [B,C,Y,X] noisy latents (followed by the channels of a conditioning), timesteps: f32 [B], context: f32
 * [B,S,Dc], classEmbedding: f32 [B,E] for `classEmbedType` "projection" -> f32 [B,outChannels,Y,X], what the prediction
 * type of the noise schedule says. B may be symbolic; Y and X must be multiples of 2^(levels - 1).
 * @throws ShapeError if sizes do not fit, or the class vector is missing or unexpected.
 */
export function unet(
  p: Params,
  x: Tensor,
  timesteps: Tensor,
  context: Tensor,
  config: UnetConfig,
  classEmbedding?: Tensor,
): Tensor {
  checkSizes(x, context, config);
  const h = conv2d(p.at("conv_in"), x, item(config.blockOutChannels, 0), { kernel: 3 });
  return unetBody(p, h, timesteps, context, config, classEmbedding);
}

/** Everything after the first convolution, whose result is `first`: f32 [B,D,Y,X]. The last convolution starts at zero. */
export function unetBody(
  p: Params,
  first: Tensor,
  timesteps: Tensor,
  context: Tensor,
  config: UnetConfig,
  classEmbedding?: Tensor,
): Tensor {
  const { blockOutChannels: widths, layersPerBlock, attentionHeads, outChannels } = config;
  const { useLinearProjection = false, normNumGroups: groups = 32, normEps: eps = 1e-5 } = config;
  const levels = widths.length;
  const time = timeEmbedding(p, timesteps, config, classEmbedding).silu(); // every user starts with SiLU
  p.tap("unet.time", time);

  const heads = (level: number): number =>
    typeof attentionHeads === "number" ? attentionHeads : item(attentionHeads, level);
  const res = (scope: Params, h: Tensor, level: number): Tensor =>
    resnet(scope, h, { channels: item(widths, level), groups, eps }, time);
  const attend = (scope: Params, h: Tensor, level: number): Tensor =>
    spatialTransformer(scope, h, context, { heads: heads(level), groups, linearProjection: useLinearProjection });

  let h = first;
  const skips = [h];
  for (let level = 0; level < levels; level++) {
    const block = p.at("down_blocks", level);
    const attends = config.downBlockTypes[level] === "CrossAttnDownBlock2D";
    for (let j = 0; j < layersPerBlock; j++) {
      h = res(block.at("resnets", j), h, level);
      if (attends) h = attend(block.at("attentions", j), h, level);
      skips.push(h);
    }
    if (level < levels - 1) {
      h = conv2d(block.at("downsamplers", 0, "conv"), h, item(widths, level), { kernel: 3, stride: 2 });
      skips.push(h);
    }
    p.tap(`unet.down.${level}`, h);
  }

  const mid = p.at("mid_block");
  h = res(mid.at("resnets", 0), h, levels - 1);
  h = attend(mid.at("attentions", 0), h, levels - 1);
  h = res(mid.at("resnets", 1), h, levels - 1);
  p.tap("unet.mid", h);

  for (let i = 0; i < levels; i++) {
    const level = levels - 1 - i;
    const block = p.at("up_blocks", i);
    const attends = config.upBlockTypes[i] === "CrossAttnUpBlock2D";
    for (let j = 0; j <= layersPerBlock; j++) {
      h = res(block.at("resnets", j), concat([h, given(skips.pop(), "a skip connection")], 1), level);
      if (attends) h = attend(block.at("attentions", j), h, level);
    }
    if (level > 0) h = upsample(block, h);
    p.tap(`unet.up.${i}`, h);
  }

  h = groupNorm(p.at("conv_norm_out"), h, groups, eps).silu();
  return conv2d(p.at("conv_out"), h, outChannels, { kernel: 3, init: zeros });
}

/** Timestep (and class) as one vector, f32 [B,4 width]. Keys `time_embedding.linear_i`, `class_embedding.linear_i`. */
function timeEmbedding(p: Params, timesteps: Tensor, config: UnetConfig, classEmbedding?: Tensor): Tensor {
  const { flipSinToCos = true, freqShift = 0, projectionClassEmbeddingsInputDim: E } = config;
  const width = item(config.blockOutChannels, 0);
  const wanted = config.classEmbedType === "projection";
  if (wanted !== (classEmbedding !== undefined) || (classEmbedding && classEmbedding.size(-1) !== E))
    throw new ShapeError(
      `unet: expected ${wanted ? `a class embedding f32 [B,${E}]` : "no class embedding"}, got ` +
        `${classEmbedding ? `[${classEmbedding.shape}]` : "none"}. Check UnetConfig.classEmbedType.`,
    );
  const mlp = (scope: Params, t: Tensor): Tensor =>
    dense(scope.at("linear_2"), dense(scope.at("linear_1"), t, 4 * width).silu(), 4 * width);
  const time = mlp(p.at("time_embedding"), sinusoid(timesteps, { width, cosFirst: flipSinToCos, freqShift }));
  return classEmbedding ? time.add(mlp(p.at("class_embedding"), classEmbedding)) : time;
}

function checkSizes(x: Tensor, context: Tensor, config: UnetConfig): void {
  const { inChannels, crossAttentionDim, blockOutChannels } = config;
  const multiple = 2 ** (blockOutChannels.length - 1);
  if (x.size(1) !== inChannels || x.size(2) % multiple !== 0 || x.size(3) % multiple !== 0)
    throw new ShapeError(
      `unet: expected latents f32 [B,${inChannels},Y,X] with Y and X multiples of ${multiple}, got [${x.shape}].`,
    );
  if (context.size(-1) !== crossAttentionDim)
    throw new ShapeError(`unet: expected a context f32 [B,S,${crossAttentionDim}], got [${context.shape}].`);
}
