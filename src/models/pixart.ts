/**
 * A diffusion transformer: diffusers' `PixArtTransformer2DModel`, its key names and results. Patches of latents pass
 * through blocks that the timestep scales, shifts and gates; further input channels hold conditioning that is aligned with the
 * latents (a draft), cross-attention reads conditioning that is not (caption features). Chen et al. 2024 (PixArt-alpha);
 * Peebles & Xie 2023.
 */
import { ShapeError } from "../base/errors.ts";
import { constant, full, normal, type Params, type Tensor, zeros } from "../graph/index.ts";
import { attend, linear } from "../nn/index.ts";
import { patchEmbed } from "./eva-vit.ts";
import { dense, sinusoid } from "./resnet2d.ts";

/** The fields of diffusers' config.json that differ among models, in camel case. */
export interface PixArtConfig {
  /** Rows and columns of the latents. */
  readonly sampleSize: number;
  /** Channels of the latents and of what is concatenated with them. */
  readonly inChannels: number;
  readonly outChannels: number;
  /** Latents per side of one token. */
  readonly patchSize: number;
  readonly numLayers: number;
  readonly numAttentionHeads: number;
  readonly attentionHeadDim: number;
  /** Width of the context after its projection; none for a model without cross-attention. */
  readonly crossAttentionDim?: number;
  /** Width of the context before its projection; none if it is not projected. */
  readonly captionChannels?: number;
  /** The gate of the feed-forward: exact GELU or its tanh approximation. */
  readonly activationFn: "gelu" | "gelu-approximate";
}

const EPS = 1e-6;
/** Width of the sinusoids of the timestep. */
const TIME_WIDTH = 256;
/** Published models are trained at 64 x 64 latents; positions of larger ones are interpolated. */
const BASE_SIZE = 64;

/**
 * x: f32 [B,inChannels,Y,X] with Y = X = `sampleSize`, timesteps: f32 [B], context: f32 [B,S,captionChannels] ->
 * f32 [B,outChannels,Y,X]. The last layer starts at zero, so a new model predicts zero; the timestep's modulation of the
 * blocks starts at zero too.
 * @throws ShapeError if sizes do not fit, or the context is missing or unexpected.
 */
export function pixart(p: Params, x: Tensor, timesteps: Tensor, config: PixArtConfig, context?: Tensor): Tensor {
  const { patchSize, numLayers, sampleSize, numAttentionHeads: heads, outChannels } = config;
  checkSizes(x, config, context);
  const D = heads * config.attentionHeadDim;
  const B = x.dim(0);
  const time = timestepVector(p.at("adaln_single", "emb", "timestep_embedder"), timesteps, D); // [B,D]
  const modulation = linear(p.at("adaln_single", "linear"), time.silu(), 6 * D, { init: zeros }).reshape([B, 6, D]);
  const told = context && captionProjection(p.at("caption_projection"), context, config);

  let h = patchEmbed(p.at("pos_embed", "proj"), x, D, patchSize).add(positions(sampleSize, patchSize, D));
  for (let i = 0; i < numLayers; i++) h = block(p.at("transformer_blocks", i), h, modulation, config, told);

  const table = p.get("scale_shift_table", [2, D], normal(D ** -0.5));
  const row = (i: number): Tensor =>
    table
      .slice(0, i, i + 1)
      .add(time)
      .reshape([B, 1, D]);
  const [shift, scale] = [row(0), row(1)];
  const out = modulate(h, shift, scale);
  const pixels = patchSize ** 2 * outChannels;
  const cells = linear(p.at("proj_out"), out, pixels, { init: zeros });
  const side = sampleSize / patchSize;
  return cells
    .reshape([B, side, side, patchSize, patchSize, outChannels])
    .transpose([0, 5, 1, 3, 2, 4])
    .reshape([B, outChannels, sampleSize, sampleSize]);
}

/** x: [B,P,D], modulation: [B,6,D], context: [B,S,crossAttentionDim] -> [B,P,D]. */
function block(p: Params, x: Tensor, modulation: Tensor, config: PixArtConfig, context?: Tensor): Tensor {
  const { numAttentionHeads: heads, activationFn } = config;
  const D = x.size(2);
  const table = p.get("scale_shift_table", [6, D], normal(D ** -0.5)).add(modulation); // [B,6,D]
  const row = (i: number): Tensor => table.slice(1, i, i + 1);
  const [shift1, scale1, gate1] = [row(0), row(1), row(2)];
  const [shift2, scale2, gate2] = [row(3), row(4), row(5)];
  const own = modulate(x, shift1, scale1);
  let h = x.add(attention(p.at("attn1"), own, own, heads).mul(gate1));
  if (context) h = h.add(attention(p.at("attn2"), h, context, heads)); // without a norm, as published
  const inner = dense(p.at("ff", "net", 0, "proj"), modulate(h, shift2, scale2), 4 * D);
  const active = activationFn === "gelu" ? inner.gelu() : tanhGelu(inner);
  return h.add(dense(p.at("ff", "net", 2), active, D).mul(gate2));
}

/** Normalized over the last axis without weights, then scaled and shifted. shift, scale: [B,1,D]. */
function modulate(x: Tensor, shift: Tensor, scale: Tensor): Tensor {
  const D = x.size(2);
  return x
    .layerNorm(full([D], 1), full([D], 0), EPS)
    .mul(scale.add(1))
    .add(shift);
}

/** x: [B,P,D] attends to source: [B,S,W]. Keys `to_q`, `to_k`, `to_v`, `to_out.0`, all with biases. */
function attention(p: Params, x: Tensor, source: Tensor, heads: number): Tensor {
  const D = x.size(2);
  const q = dense(p.at("to_q"), x, D);
  const [k, v] = [dense(p.at("to_k"), source, D), dense(p.at("to_v"), source, D)];
  return dense(p.at("to_out", 0), attend(q, k, v, heads), D);
}

/** t: f32 [B] -> [B,D]. Keys `linear_1`, `linear_2`. */
function timestepVector(p: Params, t: Tensor, D: number): Tensor {
  const waves = sinusoid(t, { width: TIME_WIDTH, cosFirst: true, freqShift: 0 });
  return dense(p.at("linear_2"), dense(p.at("linear_1"), waves, D).silu(), D);
}

/** f32 [B,S,captionChannels] -> [B,S,D]. Keys `linear_1`, `linear_2`. */
function captionProjection(p: Params, context: Tensor, config: PixArtConfig): Tensor {
  if (config.captionChannels === undefined) return context;
  const D = config.numAttentionHeads * config.attentionHeadDim;
  return dense(p.at("linear_2"), tanhGelu(dense(p.at("linear_1"), context, D)), D);
}

/** 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x³))). */
function tanhGelu(x: Tensor): Tensor {
  const inner = x
    .square()
    .mul(0.044715)
    .add(1)
    .mul(x)
    .mul(Math.sqrt(2 / Math.PI));
  return inner.tanh().add(1).mul(x).mul(0.5);
}

/** Fixed positions f32 [1,P,D]: sines and cosines of the column in the first half, of the row in the second. */
function positions(size: number, patch: number, D: number): Tensor {
  const side = size / patch;
  const quarter = D / 4;
  const data = new Float32Array(side * side * D);
  const interpolation = Math.max(Math.floor(size / BASE_SIZE), 1);
  for (let row = 0; row < side; row++)
    for (let column = 0; column < side; column++)
      for (const [half, position] of [column, row].entries())
        for (let i = 0; i < quarter; i++) {
          const angle = position / interpolation / 10000 ** (i / quarter);
          const at = (row * side + column) * D + half * 2 * quarter + i;
          data[at] = Math.sin(angle);
          data[at + quarter] = Math.cos(angle);
        }
  return constant(data, [1, side * side, D]);
}

function checkSizes(x: Tensor, config: PixArtConfig, context?: Tensor): void {
  const { inChannels, sampleSize: size, patchSize, crossAttentionDim, captionChannels } = config;
  if (x.size(1) !== inChannels || x.size(2) !== size || x.size(3) !== size || size % patchSize !== 0)
    throw new ShapeError(
      `pixart: expected latents f32 [B,${inChannels},${size},${size}] in whole patches of ${patchSize}, got [${x.shape}].`,
    );
  const width = captionChannels ?? crossAttentionDim;
  const wanted = crossAttentionDim !== undefined;
  if (wanted !== (context !== undefined) || (context && context.size(-1) !== width))
    throw new ShapeError(
      `pixart: expected ${wanted ? `a context f32 [B,S,${width}]` : "no context"}, got ` +
        `${context ? `[${context.shape}]` : "none"}. Check PixArtConfig.crossAttentionDim.`,
    );
}
