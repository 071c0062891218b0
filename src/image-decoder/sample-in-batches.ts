/** Many pictures, sampled a few at a time from a diffusion model. */
import { UsageError } from "../base/errors.ts";
import { type Denoiser, noiseLatents, type Scheduler, sample } from "../diffusion/index.ts";
import type { RgbImage } from "../image/index.ts";
import type { Value, Values } from "../runtime/index.ts";
import type { DecoderOptions } from "./decoder.ts";

/** The model, and its conditioning. `start` and `size` select pictures. */
export interface SamplingJob {
  readonly unet: Denoiser;
  readonly scheduler: Scheduler;
  /** Defaults of the options. */
  readonly steps: number;
  readonly guidanceScale: number;
  readonly noiseScale: number;
  readonly batch: number;
  /** Of one picture: channels, rows, columns. */
  readonly latentShape: readonly number[];
  /** Noise to start from. Default: from the seeds. */
  readonly latents?: ((start: number, size: number) => Value) | undefined;
  readonly context: (start: number, size: number, seeds: readonly number[]) => Promise<Values>;
  readonly negativeContext: (start: number, size: number, seeds: readonly number[]) => Promise<Values>;
  /** Clean latents f32 [B,C,Y,X] -> B pictures. */
  readonly pictures: (latents: Value) => Promise<RgbImage[]>;
}

/** @throws UsageError for an invalid batch, noise scale or number of seeds. */
export async function sampleInBatches(count: number, job: SamplingJob, options: DecoderOptions): Promise<RgbImage[]> {
  const { steps = job.steps, guidanceScale = job.guidanceScale, batch = job.batch, signal, onStep } = options;
  const { noiseScale = job.noiseScale } = options;
  if (!(noiseScale >= 0 && noiseScale <= 1))
    throw new UsageError(`noiseScale: expected a number from 0 to 1, got ${noiseScale}.`);
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
      latents: scaled(job.latents?.(start, size) ?? noiseLatents(own, job.latentShape), noiseScale),
      context: await job.context(start, size, own),
      negativeContext: guidanceScale === 1 ? undefined : await job.negativeContext(start, size, own),
      guidanceScale,
      signal,
      onStep: ({ evaluation, evaluations }) => onStep?.(chunk * evaluations + evaluation, chunks * evaluations),
    });
    pictures.push(...(await job.pictures(latents)));
  }
  return pictures;
}

function scaled({ shape, data }: Value, factor: number): Value {
  return { shape, data: factor === 1 ? data : data.map((x) => x * factor) };
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
