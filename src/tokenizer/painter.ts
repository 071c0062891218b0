/** The diffusion model of a folder: what it is told -> pictures. Batches under guidance cost two evaluations a step. */
import { noiseLatents, sample } from "../diffusion/index.ts";
import { unfoldPixels } from "../diffusion/patch-latents.ts";
import { UsageError } from "../errors.ts";
import type { RgbImage } from "../image/index.ts";
import type { Value } from "../runtime/index.ts";
import type { Programs } from "./programs.ts";
import type { ProgramName, SeedFolder } from "./seed-folder.ts";

export interface PaintOptions {
  /**
   * Where the noise comes from: one seed for all pictures, so that a picture depends on its codes and this number only,
   * or one a picture. Default 0.
   */
  readonly seed?: number | readonly number[];
  /** Evaluations of the diffusion model. Default: what scheduler.json says. */
  readonly steps?: number;
  /** 1 is no guidance; more follows the codes more closely, with less variety. Default: what scheduler.json says. */
  readonly guidanceScale?: number;
  /** Pictures painted at a time. Default 8. */
  readonly batch?: number;
  /** Stops before the next evaluation; the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** After each evaluation: how many of all are done. */
  readonly onStep?: (done: number, total: number) => void;
}

/** What the model may be told: one of the two, as it was trained. First axis = pictures. */
export type Hint = { readonly image: Value } | { readonly text: Value };

export class Painter {
  readonly #folder: SeedFolder;
  readonly #programs: Programs<ProgramName>;
  /** f32 [1,L,D]: the features of an empty caption, which is how "no text" looked in training. */
  readonly #emptyText: () => Promise<Value>;

  constructor(folder: SeedFolder, programs: Programs<ProgramName>, emptyText: () => Promise<Value>) {
    this.#folder = folder;
    this.#programs = programs;
    this.#emptyText = emptyText;
  }

  /** Pictures for `count` hints, which `hint` computes for start..start+size. */
  async paint(
    count: number,
    hint: (start: number, size: number) => Promise<Hint>,
    options: PaintOptions = {},
  ): Promise<RgbImage[]> {
    const { sampling, unet } = this.#folder;
    const { steps = sampling.steps, guidanceScale = sampling.guidanceScale, batch = 8, signal, onStep } = options;
    if (!Number.isInteger(batch) || batch < 1)
      throw new UsageError(`batch: expected a whole number from 1, got ${batch}.`);
    const seeds = seedsOf(options.seed ?? 0, count);
    const place = [unet.inChannels, unet.sampleSize, unet.sampleSize];
    const pictures: RgbImage[] = [];
    const chunks = Math.ceil(count / batch);
    for (let start = 0; start < count; start += batch) {
      signal?.throwIfAborted();
      const size = Math.min(batch, count - start);
      const chunk = start / batch;
      const { data } = await sample({
        unet: async (x, t, context) =>
          (await this.#programs.run("unet", { ...context, x, t })).clean!.data as Float32Array,
        scheduler: sampling.scheduler,
        steps,
        latents: noiseLatents(seeds.slice(start, start + size), place),
        context: await this.#context(size, await hint(start, size)),
        negativeContext: await this.#context(size),
        guidanceScale,
        ...(signal ? { signal } : {}),
        onStep: ({ evaluation, evaluations }) => onStep?.(chunk * evaluations + evaluation, chunks * evaluations),
      });
      const latents = data as Float32Array;
      const length = latents.length / size;
      for (let b = 0; b < size; b++)
        pictures.push(
          unfoldPixels(
            latents.subarray(b * length, (b + 1) * length),
            unet.sampleSize * sampling.factor,
            sampling.factor,
          ),
        );
    }
    return pictures;
  }

  /** Both inputs of the model; what no hint says is the empty caption and the zero vector. */
  async #context(count: number, hint?: Hint): Promise<{ text: Value; image: Value }> {
    const image = { shape: [count, this.#folder.config.clipWidth] };
    return {
      text: hint && "text" in hint ? hint.text : repeat(await this.#emptyText(), count),
      image: hint && "image" in hint ? hint.image : { ...image, data: new Float32Array(count * image.shape[1]!) },
    };
  }
}

function seedsOf(seed: number | readonly number[], count: number): readonly number[] {
  if (typeof seed === "number") return Array<number>(count).fill(seed);
  if (seed.length === count) return seed;
  throw new UsageError(`seed: expected one number, or ${count} of them, got ${seed.length}.`);
}

/** One row -> `count` equal rows. */
function repeat({ shape, data }: Value, count: number): Value {
  const out = new Float32Array(count * data.length);
  for (let i = 0; i < count; i++) out.set(data, i * data.length);
  return { shape: [count, ...shape.slice(1)], data: out };
}
