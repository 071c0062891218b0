/**
 * Stable Diffusion from a diffusers folder, which paints what the published SEED says: text features with 1.x (SEED v1),
 * an image embedding with 2.1 unCLIP (SEED v2).
 */

import { UsageError } from "../base/errors.ts";
import { hashText } from "../base/rng.ts";
import { emptyClassVectors, noiseLatents, type SamplerName, unclipClassVectors } from "../diffusion/index.ts";
import { fromTensor, type RgbImage, resizeAndCrop, toTensor } from "../image/index.ts";
import { type ImageSource, loadPicture } from "../image/source.ts";
import { modelFolder } from "../io/hub/index.ts";
import { vaeFactor } from "../models/vae.ts";
import { type BatchOptions, inBatches, rows } from "../runtime/batches.ts";
import type { Value, Values } from "../runtime/index.ts";
import { Programs } from "../runtime/programs.ts";
import { downloadOptions, type LoadOptions, runtimeOptions } from "../weights/load-options.ts";
import type { GenerationEmbedding } from "./decoder.ts";
import { type DiffusersFolder, imageWidth, openDiffusersFolder } from "./folder.ts";
import { diffusersFiles } from "./hub-files.ts";
import { type PaintJob, type PaintOptions, paintInBatches, repeat } from "./paint-in-batches.ts";
import type { PartName } from "./parts.ts";

export type { SamplerName } from "../diffusion/index.ts";

export interface DecoderLoadOptions extends LoadOptions {
  /** The sampler to use by default. Default: what the folder says, which is refused if it is not built here. */
  readonly scheduler?: SamplerName;
}

export interface DiffusionOptions extends PaintOptions {
  /** Default: what the model was opened with. */
  readonly scheduler?: SamplerName;
  /**
   * What pictures should lead away from, of the kind that they are painted from. Default: the features of the empty
   * prompt, or for unCLIP no image at all.
   */
  readonly negative?: GenerationEmbedding;
  /** unCLIP: text features beside the image, for and against. Default: those of the empty prompt. */
  readonly prompt?: GenerationEmbedding;
  readonly negativePrompt?: GenerationEmbedding;
  /** unCLIP: how much the image embedding is blurred, 0..999. Default 0, which still adds a little noise. */
  readonly noiseLevel?: number;
  /** Standard normal numbers for every picture in place of what the seed gives, to compare with other programs. */
  readonly noise?: { readonly latents: Float32Array; readonly image?: Float32Array };
}

/** As the official code paints: SEED v1's demo, and SEED v2's. */
const DEFAULTS = { text: { steps: 50, guidanceScale: 7.5 }, image: { steps: 20, guidanceScale: 10 } } as const;

export class StableDiffusion {
  readonly #folder: DiffusersFolder;
  readonly #programs: Programs<PartName>;
  #emptyPrompt: Promise<GenerationEmbedding> | undefined;

  /**
   * Opens a diffusers folder, or owner/name on the Hub, and checks all of it; nothing is compiled yet.
   * @throws SetupError if a part is missing, InputError if one is damaged or they do not belong together.
   */
  static async fromPretrained(idOrFolder: string, options: DecoderLoadOptions = {}): Promise<StableDiffusion> {
    const folder = await modelFolder(idOrFolder, { ...downloadOptions(options), wanted: diffusersFiles });
    options.onProgress?.(`opening ${folder}`);
    return new StableDiffusion(await openDiffusersFolder(folder, options.scheduler), options);
  }

  private constructor(folder: DiffusersFolder, options: LoadOptions) {
    this.#folder = folder;
    this.#programs = new Programs(
      (name) => folder.parts[name]!,
      runtimeOptions(options),
      (name) => options.onProgress?.(`compiling ${name}`),
    );
  }

  /** What it is told: "text" features, or an "image" embedding (unCLIP). */
  get paintsFrom(): "text" | "image" {
    return this.#folder.paintsFrom;
  }

  /** Rows and columns of the pictures that are painted, px. */
  get paintedSize(): number {
    return this.#folder.unet.sampleSize * vaeFactor(this.#folder.vae);
  }

  /** Prompts -> text features f32 [L,D] each. @throws SetupError if the folder has no tokenizer. */
  async features(prompts: readonly string[], options: BatchOptions = {}): Promise<GenerationEmbedding[]> {
    const { prompts: tokenizer, textEncoder } = this.#folder;
    const L = textEncoder.maxPositions;
    const parts = await inBatches(prompts, options, async (chunk) => {
      const data = new Int32Array(chunk.length * L);
      for (const [b, prompt] of chunk.entries()) data.set(tokenizer.encode(prompt), b * L);
      return (await this.#programs.run("text_encoder", { ids: { shape: [chunk.length, L], data } })).features!;
    });
    return rows<Float32Array>(parts).map((data) => ({ shape: this.#textShape, data }));
  }

  /**
   * Pictures -> image embeddings f32 [E] of the CLIP encoder that SEED v2 learned from: the middle square of each.
   * @throws UsageError if the folder has no image encoder.
   */
  async embed(images: readonly ImageSource[], options: BatchOptions = {}): Promise<GenerationEmbedding[]> {
    const { imageEncoder: encoder } = this.#folder;
    if (!encoder) throw new UsageError(`${this.#folder.path}: expected image_encoder of an unCLIP folder, found none.`);
    const side = encoder.imageSize;
    const parts = await inBatches(images, options, async (chunk) => {
      const prepared: RgbImage[] = [];
      for (const image of chunk) prepared.push(resizeAndCrop(await loadPicture(image), side, "bicubic"));
      const pixels = { shape: [chunk.length, 3, side, side], data: toTensor(prepared) };
      return (await this.#programs.run("image_encoder", { pixels })).image!;
    });
    return rows<Float32Array>(parts).map((data) => ({ shape: [encoder.projection], data }));
  }

  /**
   * What `OfficialSeed` says codes mean, or `features` or `embed` of something -> pictures. The same embedding, seed and
   * settings give the same picture, whatever else is in the batch.
   * @throws UsageError for an embedding of another kind.
   */
  async paint(embeddings: readonly GenerationEmbedding[], options: DiffusionOptions = {}): Promise<RgbImage[]> {
    const { unet, scheduler } = this.#folder;
    const place = [unet.inChannels, unet.sampleSize, unet.sampleSize];
    const { negative, prompt, negativePrompt, noise } = options;
    const shape = this.paintsFrom === "text" ? this.#textShape : [imageWidth(unet)];
    for (const one of negative ? [...embeddings, negative] : embeddings) expectShape(one, shape);
    for (const one of [prompt, negativePrompt]) if (one) expectShape(one, this.#textShape);
    if (noise) expectShape({ shape: [noise.latents.length], data: noise.latents }, [place.reduce((a, b) => a * b)]);
    const job: PaintJob = {
      unet: async (latents, timesteps, told) =>
        (await this.#programs.run("unet", { ...told, latents, timesteps })).answer!.data as Float32Array,
      scheduler: scheduler(options.scheduler),
      ...DEFAULTS[this.paintsFrom],
      batch: 1,
      place,
      ...(noise ? { latents: (_, size) => repeat({ shape: [1, ...place], data: noise.latents }, size) } : {}),
      context: (start, size, seeds) => this.#told(seeds, embeddings.slice(start, start + size), prompt, options),
      negativeContext: (_, size, seeds) =>
        this.#told(seeds, negative && Array<GenerationEmbedding>(size).fill(negative), negativePrompt, options),
      pictures: (latents) => this.#pictures(latents),
    };
    return paintInBatches(embeddings.length, job, options);
  }

  /** Ends the worker thread. Calls that are under way fail. */
  close(): Promise<void> {
    return this.#programs.close();
  }

  get #textShape(): readonly number[] {
    const { maxPositions, width } = this.#folder.textEncoder;
    return [maxPositions, width];
  }

  /** The inputs of the UNet for one picture a seed. Without embeddings: the empty prompt, or no image. */
  async #told(
    seeds: readonly number[],
    embeddings: readonly GenerationEmbedding[] | undefined,
    prompt: GenerationEmbedding | undefined,
    { noiseLevel: level = 0, noise }: DiffusionOptions,
  ): Promise<Values> {
    const text = prompt ?? (await this.#noText());
    const texts = seeds.map(() => text);
    const { imageNoise, unet } = this.#folder;
    if (!imageNoise) return { context: stack(embeddings ?? texts) };
    const E = imageWidth(unet);
    if (!embeddings) return { context: stack(texts), class_embedding: emptyClassVectors(seeds.length, E) };
    // Not the numbers that the latents begin with.
    const own = seeds.map((seed) => (hashText("image noise") ^ seed) >>> 0);
    const blur = noise?.image ? repeat({ shape: [1, E], data: noise.image }, seeds.length) : noiseLatents(own, [E]);
    const classes = unclipClassVectors(stack(embeddings), blur.data as Float32Array, { ...imageNoise, level });
    return { context: stack(texts), class_embedding: classes };
  }

  async #pictures(latents: Value): Promise<RgbImage[]> {
    const pixels = (await this.#programs.run("vae", { latents })).pixels!.data as Float32Array;
    const side = this.paintedSize;
    return Array.from({ length: latents.shape[0]! }, (_, b) => fromTensor(pixels, side, side, b));
  }

  #noText(): Promise<GenerationEmbedding> {
    this.#emptyPrompt ??= this.features([""]).then(([features]) => features!);
    return this.#emptyPrompt;
  }
}

/** As one batch. */
function stack(embeddings: readonly GenerationEmbedding[]): Value {
  const [{ shape, data: first }] = embeddings as [GenerationEmbedding, ...GenerationEmbedding[]];
  const data = new Float32Array(embeddings.length * first.length);
  for (const [b, one] of embeddings.entries()) data.set(one.data, b * first.length);
  return { shape: [embeddings.length, ...shape], data };
}

function expectShape({ shape, data }: GenerationEmbedding, expected: readonly number[]): void {
  const size = expected.reduce((a, b) => a * b, 1);
  if (shape.join() === expected.join() && data.length === size) return;
  throw new UsageError(
    `paint: expected f32 [${expected.join()}], got [${shape.join()}] of ${data.length} numbers. ` +
      "Stable Diffusion 1.x goes with SEED v1, 2.1 unCLIP with SEED v2.",
  );
}
