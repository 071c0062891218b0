/** Many pictures, painted a few at a time by whatever diffusion model. */

import { UsageError } from "../base/errors.ts";
import { type Denoiser, noiseLatents, type Scheduler, sample } from "../diffusion/index.ts";
import type { RgbImage } from "../image/index.ts";
import type { Value, Values } from "../runtime/index.ts";

export interface PaintOptions {
  /**
   * Where the noise comes from: one seed for all pictures, so that a picture depends on its codes and this number only,
   * or one a picture. Default 0.
   */
  readonly seed?: number | readonly number[];
  /** Evaluations of the diffusion model. Default: what the model says. */
  readonly steps?: number;
  /** 1 is no guidance; more follows the codes more closely, with less variety. Default: what the model says. */
  readonly guidanceScale?: number;
  /** Pictures painted at a time. Default 8; 1 for Stable Diffusion. */
  readonly batch?: number;
  /** Stops before the next evaluation; the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** After each evaluation: how many of all are done. */
  readonly onStep?: (done: number, total: number) => void;
}

/** The model, and what it is told. `start` and `size` say which pictures of all. */
export interface PaintJob {
  readonly unet: Denoiser;
  readonly scheduler: Scheduler;
  /** Defaults of the options. */
  readonly steps: number;
  readonly guidanceScale: number;
  readonly batch: number;
  /** Shape of the latents of one picture. */
  readonly place: readonly number[];
  /** Noise to start from. Default: from the seeds. */
  readonly latents?: (start: number, size: number) => Value;
  readonly context: (start: number, size: number, seeds: readonly number[]) => Promise<Values>;
  readonly negativeContext: (start: number, size: number, seeds: readonly number[]) => Promise<Values>;
  /** Clean latents f32 [B,C,Y,X] -> B pictures. */
  readonly pictures: (latents: Value) => Promise<RgbImage[]>;
}

/** @throws UsageError for a batch or a number of seeds that makes no sense. */
export async function paintInBatches(count: number, job: PaintJob, options: PaintOptions): Promise<RgbImage[]> {
  const { steps = job.steps, guidanceScale = job.guidanceScale, batch = job.batch, signal, onStep } = options;
  if (!Number.isInteger(batch) || batch < 1)
    throw new UsageError(`batch: expected a whole number from 1, got ${batch}.`);
  const seeds = seedsOf(options.seed ?? 0, count);
  const pictures: RgbImage[] = [];
  const chunks = Math.ceil(count / batch);
  for (let start = 0; start < count; start += batch) {
    signal?.throwIfAborted();
    const size = Math.min(batch, count - start);
    const chunk = start / batch;
    const own = seeds.slice(start, start + size);
    const latents = await sample({
      unet: job.unet,
      scheduler: job.scheduler,
      steps,
      latents: job.latents?.(start, size) ?? noiseLatents(own, job.place),
      context: await job.context(start, size, own),
      ...(guidanceScale === 1 ? {} : { negativeContext: await job.negativeContext(start, size, own) }),
      guidanceScale,
      ...(signal ? { signal } : {}),
      onStep: ({ evaluation, evaluations }) => onStep?.(chunk * evaluations + evaluation, chunks * evaluations),
    });
    pictures.push(...(await job.pictures(latents)));
  }
  return pictures;
}

function seedsOf(seed: number | readonly number[], count: number): readonly number[] {
  if (typeof seed === "number") return Array<number>(count).fill(seed);
  if (seed.length === count) return seed;
  throw new UsageError(`seed: expected one number, or ${count} of them, got ${seed.length}.`);
}

/** One row -> `count` equal rows. */
export function repeat({ shape, data }: Value, count: number): Value {
  const out = new Float32Array(count * data.length);
  for (let i = 0; i < count; i++) out.set(data, i * data.length);
  return { shape: [count, ...shape.slice(1)], data: out };
}
