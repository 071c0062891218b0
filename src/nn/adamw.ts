/**
 * The optimizer as a graph, for devices that keep the training state in their own memory. It computes the same as the
 * kernels of `assembly/optimizer.ts`, which the CPU uses.
 */
import { constant, type Tensor } from "../graph/index.ts";

/** A parameter and AdamW's moments of it, all f32 of its shape. */
export interface AdamWState {
  readonly param: Tensor;
  /** Moving averages of the gradient and of its square. */
  readonly m: Tensor;
  readonly v: Tensor;
}

/** Scalars that are the same for all parameters and new at every step t = 1, 2, ... */
export interface AdamWScalars {
  /** Factor on the gradient: clipping, and the mean over micro-batches. */
  readonly scale: Tensor;
  /** Learning rate. */
  readonly rate: Tensor;
  /** rate / (1 - beta1^t). */
  readonly step: Tensor;
  /** 1 / sqrt(1 - beta2^t). */
  readonly root: Tensor;
}

export interface AdamWSettings {
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  readonly weightDecay: number;
  /** Multiplies the learning rate. */
  readonly rateScale: number;
}

/** One step: p -= rate decay p; p -= step m / (root sqrt(v) + eps). Loshchilov & Hutter 2019, algorithm 2. */
export function adamw(
  { param, m, v }: AdamWState,
  gradient: Tensor,
  { scale, rate, step, root }: AdamWScalars,
  { beta1, beta2, eps, weightDecay, rateScale }: AdamWSettings,
): AdamWState {
  const g = gradient.mul(scale);
  const m1 = m.mul(beta1).add(g.mul(1 - beta1));
  const v1 = v.mul(beta2).add(g.square().mul(1 - beta2));
  const update = m1.mul(step.mul(rateScale)).div(v1.sqrt().mul(root).add(eps));
  const keep = constant(1).sub(rate.mul(rateScale * weightDecay));
  return { param: (weightDecay === 0 ? param : param.mul(keep)).sub(update), m: m1, v: v1 };
}

/**
 * Global norm of the mean gradient over `parts` micro-batches, f32 [], and the factor that turns their sums into that
 * mean, clipped to a norm of `clipNorm`.
 */
export function clipByNorm(
  sums: readonly Tensor[],
  clipNorm: number,
  parts: number,
): { readonly norm: Tensor; readonly scale: Tensor } {
  const squares = sums.map((sum) => sum.square().sum());
  const norm = squares
    .reduce((a, b) => a.add(b))
    .sqrt()
    .div(parts);
  if (clipNorm === Number.POSITIVE_INFINITY) return { norm, scale: constant(1 / parts) };
  return { norm, scale: constant(clipNorm).div(norm.add(1e-6)).minimum(1).div(parts) };
}
