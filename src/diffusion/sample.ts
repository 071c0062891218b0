/** The sampling loop with classifier-free guidance (Ho & Salimans 2022), for any model and any batch. */
import { UsageError } from "../base/errors.ts";
import { Rng } from "../base/rng.ts";
import type { Value, Values } from "../base/value.ts";
import { mix } from "./mix.ts";
import type { Scheduler } from "./scheduler.ts";

/**
 * A denoiser: latents f32 [N,C,Y,X], timesteps f32 [N], context: named values [N,...] -> its answer, f32 [N,C,Y,X].
 * N is twice the batch under guidance.
 */
export type Denoiser = (latents: Value, timesteps: Value, context: Values) => Promise<Float32Array>;

export interface SampleOptions {
  readonly unet: Denoiser;
  readonly scheduler: Scheduler;
  readonly steps: number;
  /** f32 [B,C,Y,X], standard normal. */
  readonly latents: Value;
  /** What the pictures should follow, each f32 [B,...]. */
  readonly context: Values;
  /** What they should lead away from: the same names and shapes. Needed for guidance. */
  readonly negativeContext?: Values;
  /** Answer = negative + scale (positive - negative). Default 1: no guidance, half the work. */
  readonly guidanceScale?: number;
  /** Stops before the next evaluation of the model; the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** After each evaluation. */
  readonly onStep?: (progress: SampleProgress) => void;
}

export interface SampleProgress {
  /** From 1 to `evaluations`. */
  readonly evaluation: number;
  readonly evaluations: number;
  /** f32 [B,C,Y,X], still noisy. */
  readonly latents: Float32Array;
}

/**
 * Clean latents, f32 [B,C,Y,X].
 * @throws UsageError if guidance lacks a negative context, or the contexts do not fit each other and the latents.
 */
export async function sample(options: SampleOptions): Promise<Value> {
  const { unet, scheduler, steps, latents, context, negativeContext, guidanceScale = 1, signal, onStep } = options;
  const guided = guidanceScale !== 1;
  const [batch, ...rest] = latents.shape as [number, ...number[]];
  const both = guided ? pair(negativeContext ?? missing(guidanceScale), context, batch) : context;
  const run = scheduler(steps);
  const size = batch * (guided ? 2 : 1);
  let x = mix([run.initSigma, floats(latents, "latents")]);
  for (const [i, t] of run.timesteps.entries()) {
    signal?.throwIfAborted();
    const shown = run.scaleInput(x, i);
    const data = guided ? join(shown, shown) : shown;
    const timesteps = { shape: [size], data: new Float32Array(size).fill(t) };
    const answer = await unet({ shape: [size, ...rest], data }, timesteps, both);
    x = run.step(guided ? guide(answer, guidanceScale) : answer, i, x);
    onStep?.({ evaluation: i + 1, evaluations: run.timesteps.length, latents: x });
  }
  return { shape: latents.shape, data: x };
}

/** negative + scale (positive - negative) of an answer that holds both halves, negative first. */
export function guide(answer: Float32Array, scale: number): Float32Array {
  const half = answer.length / 2;
  return mix([1 - scale, answer.subarray(0, half)], [scale, answer.subarray(half)]);
}

/** Standard normal latents, one seed a picture: a picture does not depend on what else is in its batch. */
export function noiseLatents(seeds: readonly number[], shape: readonly number[]): Value {
  const size = shape.reduce((a, b) => a * b, 1);
  const data = new Float32Array(seeds.length * size);
  for (const [b, seed] of seeds.entries()) {
    const rng = new Rng(seed);
    for (let i = 0; i < size; i++) data[b * size + i] = rng.normal();
  }
  return { shape: [seeds.length, ...shape], data };
}

/** Negative and positive values in one batch. */
function pair(negative: Values, positive: Values, batch: number): Values {
  const names = [...new Set([...Object.keys(negative), ...Object.keys(positive)])];
  return Object.fromEntries(
    names.map((name) => {
      const [n, p] = [negative[name], positive[name]];
      if (!n || !p || n.shape.join() !== p.shape.join() || p.shape[0] !== batch)
        throw new UsageError(
          `sample: expected ${name} of batch ${batch} and one shape in both contexts, ` +
            `got [${p?.shape ?? "none"}] and negative [${n?.shape ?? "none"}].`,
        );
      return [name, { shape: [2 * batch, ...p.shape.slice(1)], data: join(floats(n, name), floats(p, name)) }];
    }),
  );
}

function join(a: Float32Array, b: Float32Array): Float32Array {
  const out = new Float32Array(a.length + b.length);
  out.set(a);
  out.set(b, a.length);
  return out;
}

function floats({ data }: Value, name: string): Float32Array {
  if (data instanceof Float32Array) return data;
  throw new UsageError(`sample: expected ${name} as f32, got i32.`);
}

function missing(scale: number): never {
  throw new UsageError(`sample: expected a negative context for guidance scale ${scale}, got none.`);
}
