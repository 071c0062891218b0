/** Convolutional parts that the UNet and the VAE of Stable Diffusion share, with diffusers' key names. */
import { concat, constant, normal, type Params, type Tensor, zeros } from "../graph/index.ts";
import { conv2d, groupNorm, linear } from "../nn/index.ts";

export interface ResnetConfig {
  readonly channels: number;
  readonly groups: number;
  readonly eps: number;
}

/**
 * x: f32 [B,C,Y,X] -> [B,channels,Y,X]. `time`: f32 [B,E], already through SiLU, is added per channel between the
 * convolutions. The second convolution starts at zero, so that a new block passes its input on.
 * Keys `norm1`, `conv1`, `time_emb_proj`, `norm2`, `conv2`, and `conv_shortcut` where the width changes.
 */
export function resnet(p: Params, x: Tensor, { channels, groups, eps }: ResnetConfig, time?: Tensor): Tensor {
  let h = conv2d(p.at("conv1"), groupNorm(p.at("norm1"), x, groups, eps).silu(), channels, { kernel: 3 });
  if (time) h = h.add(dense(p.at("time_emb_proj"), time, channels).reshape([x.dim(0), channels, 1, 1]));
  h = groupNorm(p.at("norm2"), h, groups, eps).silu();
  h = conv2d(p.at("conv2"), h, channels, { kernel: 3, init: zeros });
  return h.add(x.size(1) === channels ? x : conv2d(p.at("conv_shortcut"), x, channels, { kernel: 1 }));
}

/** Twice the rows and columns, nearest neighbor, then a convolution. Keys `upsamplers.0.conv`. */
export function upsample(p: Params, x: Tensor): Tensor {
  return conv2d(p.at("upsamplers", 0, "conv"), x.upsample(2), x.size(1), { kernel: 3 });
}

/** Linear with unit gain: N(0, 1/in). */
export function dense(p: Params, x: Tensor, out: number, bias = true): Tensor {
  return linear(p, x, out, { bias, init: normal(x.size(-1) ** -0.5) });
}

export interface SinusoidConfig {
  /** Even. */
  readonly width: number;
  readonly cosFirst: boolean;
  /** Lowers the number of frequency steps: 0 in Stable Diffusion. */
  readonly freqShift: number;
}

/** t: f32 [B], steps -> f32 [B,width]: sines and cosines at frequencies from 1 down to about 1/10000. */
export function sinusoid(t: Tensor, { width, cosFirst, freqShift }: SinusoidConfig): Tensor {
  const half = width / 2;
  const frequencies = Float32Array.from({ length: half }, (_, i) =>
    Math.exp((-Math.log(10000) * i) / (half - freqShift)),
  );
  const angles = t.reshape([t.dim(0), 1]).mul(constant(frequencies, [1, half]));
  return concat(cosFirst ? [angles.cos(), angles.sin()] : [angles.sin(), angles.cos()], 1);
}
