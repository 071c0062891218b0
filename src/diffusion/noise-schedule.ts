/**
 * How much signal and noise a sample holds at each training step t: x_t = signal(t) x + noise(t) e, e standard normal,
 * signal² + noise² = 1. Ho et al. 2020; numbers as in diffusers.
 */
import { InputError } from "../base/errors.ts";
import { mix } from "./mix.ts";

export type BetaSchedule = "linear" | "scaled_linear" | "squaredcos_cap_v2";

/** What the model answers: the noise e, v = signal e - noise x (Salimans & Ho 2022), or the clean sample x. */
export type PredictionType = "epsilon" | "v_prediction" | "sample";

export interface NoiseScheduleConfig {
  /** Default 1000. */
  readonly trainSteps?: number;
  /** Default "scaled_linear", Stable Diffusion's: linear in the square root. */
  readonly betaSchedule?: BetaSchedule;
  /** Default 0.00085. Not used by "squaredcos_cap_v2". */
  readonly betaStart?: number;
  /** Default 0.012. Not used by "squaredcos_cap_v2". */
  readonly betaEnd?: number;
  /** Default "epsilon". */
  readonly predictionType?: PredictionType;
}

export class NoiseSchedule {
  readonly steps: number;
  readonly predictionType: PredictionType;
  /** signal(t)², the running product of 1 - beta. */
  readonly alphasCumprod: Float64Array;

  constructor(config: NoiseScheduleConfig = {}) {
    this.steps = config.trainSteps ?? 1000;
    this.predictionType = config.predictionType ?? "epsilon";
    let product = 1;
    this.alphasCumprod = betas(config, this.steps).map((beta) => {
      product *= 1 - beta;
      return product;
    });
  }

  /** alphasCumprod[t]. @throws InputError if t is not a training step. */
  at(t: number): number {
    const value = this.alphasCumprod[t];
    if (value === undefined) throw new InputError(`noise schedule: expected a step in 0..${this.steps - 1}, got ${t}.`);
    return value;
  }

  signal(t: number): number {
    return Math.sqrt(this.at(t));
  }

  noise(t: number): number {
    return Math.sqrt(1 - this.at(t));
  }

  /** The noisy sample at step t. */
  addNoise(sample: Float32Array, noise: Float32Array, t: number): Float32Array {
    return mix([this.signal(t), sample], [this.noise(t), noise]);
  }

  /** What the model should answer at step t. */
  target(sample: Float32Array, noise: Float32Array, t: number): Float32Array {
    if (this.predictionType === "epsilon") return noise;
    if (this.predictionType === "sample") return sample;
    return mix([this.signal(t), noise], [-this.noise(t), sample]);
  }
}

function betas(config: NoiseScheduleConfig, steps: number): Float64Array {
  const { betaSchedule = "scaled_linear", betaStart = 0.00085, betaEnd = 0.012 } = config;
  const between = (a: number, b: number, i: number): number => a + ((b - a) * i) / Math.max(steps - 1, 1);
  const beta = {
    linear: (i: number) => between(betaStart, betaEnd, i),
    scaled_linear: (i: number) => between(Math.sqrt(betaStart), Math.sqrt(betaEnd), i) ** 2,
    // Nichol & Dhariwal 2021, eq. 17, capped at 0.999
    squaredcos_cap_v2: (i: number) => Math.min(1 - cosineBar((i + 1) / steps) / cosineBar(i / steps), 0.999),
  }[betaSchedule];
  return Float64Array.from({ length: steps }, (_, i) => beta(i));
}

function cosineBar(time: number): number {
  return Math.cos(((time + 0.008) / 1.008) * (Math.PI / 2)) ** 2;
}

/** The clean sample and the noise that an answer stands for, at signal + noise levels of the noisy sample. */
export function cleanAndNoise(
  type: PredictionType,
  answer: Float32Array,
  sample: Float32Array,
  signal: number,
  noise: number,
): { readonly clean: Float32Array; readonly noise: Float32Array } {
  if (type === "epsilon") return { clean: mix([1 / signal, sample], [-noise / signal, answer]), noise: answer };
  if (type === "sample") return { clean: answer, noise: mix([1 / noise, sample], [-signal / noise, answer]) };
  return { clean: mix([signal, sample], [-noise, answer]), noise: mix([signal, answer], [noise, sample]) };
}
