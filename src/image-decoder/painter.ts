/** The diffusion model of a folder: what it is told -> pictures. Batches under guidance cost two evaluations a step. */
import { fromTensor, type RgbImage } from "../image/index.ts";
import { type ProgramName, paintedSize, type SeedFolder } from "../image-tokenizer/seed-folder.ts";
import type { Value } from "../runtime/index.ts";
import type { Programs } from "../runtime/programs.ts";
import { type PaintJob, type PaintOptions, paintInBatches, repeat } from "./paint-in-batches.ts";

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
    const { inChannels, sampleSize: side } = unet;
    const job: PaintJob = {
      unet: async (x, t, context) =>
        (await this.#programs.run("unet", { ...context, x, t })).clean!.data as Float32Array,
      ...sampling,
      batch: 8,
      place: [inChannels, side, side],
      context: async (start, size) => this.#context(size, await hint(start, size)),
      negativeContext: (_, size) => this.#context(size),
      pictures: (latents) => this.#pictures(latents),
    };
    return paintInBatches(count, job, options);
  }

  async #pictures(latents: Value): Promise<RgbImage[]> {
    const pixels = (await this.#programs.run("vae", { latents })).pixels!.data as Float32Array;
    const size = paintedSize(this.#folder);
    return Array.from({ length: latents.shape[0]! }, (_, b) => fromTensor(pixels, size, size, b));
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
