/**
 * A latent diffusion model in diffusers' layout as an image decoder: Stable Diffusion 1.x from text features (SEED v1),
 * 2.1 unCLIP from an image embedding (SEED v2), and the small models that are trained here from either.
 */
import { UsageError } from "../base/errors.ts";
import { item } from "../base/item.ts";
import { hashText } from "../base/rng.ts";
import { emptyClassVectors, noiseLatents, type SamplerName, unclipClassVectors } from "../diffusion/index.ts";
import { fromTensor, type RgbImage, resizeAndCrop, toTensor } from "../image/index.ts";
import { type ImageSource, loadPicture } from "../image/source.ts";
import { modelFolder } from "../io/hub/index.ts";
import { type BatchOptions, inBatches, rows } from "../runtime/batches.ts";
import type { Value, Values } from "../runtime/index.ts";
import { Programs, type RuntimeOwner } from "../runtime/programs.ts";
import { downloadOptions, programsOptions, type TokenizerLoadOptions } from "../weights/load-options.ts";
import { weightsAs } from "../weights/quantized/weights-as.ts";
import {
  type DecoderOptions,
  type EmbeddingKind,
  expectShape,
  type GenerationEmbedding,
  type ImageDecoder,
  kindOf,
} from "./decoder.ts";
import { draftLatents } from "./draft-latents.ts";
import { type DiffusersFolder, openDiffusersFolder } from "./folder.ts";
import { diffusersFiles } from "./hub-files.ts";
import type { PartName } from "./parts.ts";
import { repeat, type SamplingJob, sampleInBatches } from "./sample-in-batches.ts";

export type { SamplerName } from "../diffusion/index.ts";

export interface DecoderLoadOptions extends TokenizerLoadOptions {
  /** The sampler to use by default. Default: that of the folder, which is refused if it is not supported. */
  readonly scheduler?: SamplerName;
}

export interface DiffusionOptions extends DecoderOptions {
  /** Default: what the model was opened with. */
  readonly scheduler?: SamplerName;
  /**
   * What pictures are guided away from, of a kind that the model accepts. Default: the features of the empty prompt, or
   * for unCLIP no image at all.
   */
  readonly negative?: GenerationEmbedding;
  /** Text features next to an image embedding, to guide toward and away from. Default: those of the empty prompt. */
  readonly prompt?: GenerationEmbedding;
  readonly negativePrompt?: GenerationEmbedding;
  /** unCLIP: how much the image embedding is blurred, 0..999. Default 0, which still adds a little noise. */
  readonly noiseLevel?: number;
  /** Standard normal numbers for every picture in place of what the seed gives, to compare with other programs. */
  readonly noise?: { readonly latents: Float32Array; readonly image?: Float32Array };
}

/** Prompts -> text features f32 [L,D] each. */
export type TextFeatures = (prompts: readonly string[]) => Promise<readonly GenerationEmbedding[]>;

/** What a decoder gets from the model that it belongs to. */
export interface DecoderParent {
  /** A text encoder, for a decoder without one. */
  readonly features?: TextFeatures;
  readonly programs?: RuntimeOwner;
}

export class DiffusionDecoder implements ImageDecoder<DiffusionOptions> {
  readonly #folder: DiffusersFolder;
  readonly #programs: Programs<PartName>;
  readonly #features: TextFeatures;
  #emptyPrompt: Promise<GenerationEmbedding> | undefined;

  /**
   * Opens a folder in diffusers' layout, or owner/name on the Hub, and checks all of it; nothing is compiled yet.
   * @throws SetupError if a part is missing, InputError if one is damaged or they do not belong together.
   */
  static async fromPretrained(idOrFolder: string, options: DecoderLoadOptions = {}): Promise<DiffusionDecoder> {
    const folder = await modelFolder(idOrFolder, { ...downloadOptions(options), wanted: diffusersFiles });
    options.onProgress?.(`opening ${folder}`);
    return DiffusionDecoder.open(await openDiffusersFolder(folder, options.scheduler), options);
  }

  /** The decoder of a folder that has been opened. */
  static async open(
    folder: DiffusersFolder,
    options: DecoderLoadOptions = {},
    parent: DecoderParent = {},
  ): Promise<DiffusionDecoder> {
    const { unet } = folder.parts;
    if (!unet) return new DiffusionDecoder(folder, options, parent);
    // The autoencoder is nearly all convolutions, which stay as they are.
    const weights = await weightsAs(options.dtype, unet.weights, [unet.outputs]);
    const parts = { ...folder.parts, unet: { ...unet, weights } };
    return new DiffusionDecoder({ ...folder, parts }, options, parent);
  }

  private constructor(folder: DiffusersFolder, options: DecoderLoadOptions, { features, programs }: DecoderParent) {
    this.#folder = folder;
    this.#features = features ?? ((prompts) => this.features(prompts));
    this.#programs = new Programs((name) => this.#part(name), programsOptions(options), programs);
  }

  get path(): string {
    return this.#folder.path;
  }

  get accepts(): readonly EmbeddingKind[] {
    return this.#folder.accepts;
  }

  /** Width of the image embeddings that it reads; 0 if it reads none. */
  get imageWidth(): number {
    return this.#folder.imageWidth;
  }

  get imageSize(): number {
    return this.#folder.imageSize;
  }

  /** Whether it has its own text encoder, for `features`. */
  get hasTextEncoder(): boolean {
    return this.#folder.prompts !== undefined;
  }

  /** Shape of the embeddings of a kind that it reads. */
  shapeOf(kind: EmbeddingKind): readonly number[] {
    const { textShape, imageWidth, draftShape = [] } = this.#folder;
    return kind === "text" ? textShape : kind === "image" ? [imageWidth] : draftShape;
  }

  /**
   * Prompts -> text features f32 [L,D] each.
   * @throws UsageError if the folder has no text encoder, SetupError if it has no tokenizer.
   */
  async features(prompts: readonly string[], options: BatchOptions = {}): Promise<GenerationEmbedding[]> {
    const { prompts: tokenizer, textShape } = this.#folder;
    if (!tokenizer)
      throw new UsageError(
        `${this.#folder.path}: expected text_encoder/ of Stable Diffusion, found none. Open the model it belongs to with SeedTokenizer.`,
      );
    const [L] = textShape;
    const parts = await inBatches(prompts, options, async (chunk) => {
      const data = new Int32Array(chunk.length * L);
      for (const [b, prompt] of chunk.entries()) data.set(tokenizer.encode(prompt), b * L);
      return this.#programs.output("text_encoder", { ids: { shape: [chunk.length, L], data } }, "features");
    });
    return rows<Float32Array>(parts).map((data) => ({ shape: textShape, data }));
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
      return this.#programs.output("image_encoder", { pixels }, "image");
    });
    return rows<Float32Array>(parts).map((data) => ({ shape: [encoder.projection], data }));
  }

  async decode(embeddings: readonly GenerationEmbedding[], options: DiffusionOptions = {}): Promise<RgbImage[]> {
    const { scheduler, latentShape, textShape, defaults } = this.#folder;
    const { negative, prompt, negativePrompt, noise } = options;
    if (options.noiseLevel !== undefined && !this.#folder.imageNoise)
      throw new UsageError(
        `noiseLevel: expected a decoder of unCLIP, got ${this.#folder.path}, which has no image noise. Leave it out.`,
      );
    const kind = embeddings[0] && kindOf(embeddings[0]);
    for (const one of negative ? [...embeddings, negative] : embeddings) this.#expectAccepted(one, kind);
    for (const one of [prompt, negativePrompt]) if (one) expectShape(one, textShape, "They are text features.");
    if (noise) {
      const size = latentShape.reduce((a, b) => a * b);
      expectShape({ shape: [noise.latents.length], data: noise.latents }, [size], "It is noise for one picture.");
    }
    const job: SamplingJob = {
      ...defaults,
      // What a draft leaves open is detail; a caption leaves open nearly everything, which only noise can decide.
      noiseScale: kind === "draft" ? defaults.noiseScale : 1,
      unet: async (latents, timesteps, context) =>
        (await this.#programs.output("unet", { ...context, latents, timesteps }, "answer")).data as Float32Array,
      scheduler: scheduler(options.scheduler),
      latentShape,
      latents: noise && ((_, size) => repeat({ shape: [1, ...latentShape], data: noise.latents }, size)),
      context: (start, size, seeds) =>
        this.#conditioning(seeds, embeddings.slice(start, start + size), prompt, options),
      negativeContext: (_, size, seeds) =>
        this.#conditioning(seeds, negative && Array<GenerationEmbedding>(size).fill(negative), negativePrompt, options),
      pictures: (latents) => this.#pictures(latents),
    };
    return sampleInBatches(embeddings.length, job, options);
  }

  /**
   * The latents of drafts as they are -> soft pictures, in one step of the autoencoder and without the diffusion model.
   * @throws UsageError for embeddings of another kind
   */
  async preview(drafts: readonly GenerationEmbedding[], options: BatchOptions = {}): Promise<RgbImage[]> {
    const { draftShape, latentShape, path } = this.#folder;
    if (!draftShape)
      throw new UsageError(`${path}: expected a decoder of drafts, got one of ${this.accepts.join(", ")}.`);
    for (const draft of drafts) expectShape(draft, draftShape, "Only drafts have a preview.");
    const latents = (chunk: readonly GenerationEmbedding[]): Value => draftLatents(stack(chunk), latentShape[0]);
    const pictures = await inBatches(drafts, options, (chunk) => this.#pictures(latents(chunk)));
    return pictures.flat();
  }

  /** Ends the worker thread, if it is its own. Calls that are under way fail. */
  close(): Promise<void> {
    return this.#programs.close();
  }

  #part(name: PartName): NonNullable<DiffusersFolder["parts"][PartName]> {
    const part = this.#folder.parts[name];
    if (part) return part;
    throw new UsageError(`${this.#folder.path}: expected ${name}/, found none. Copy the whole folder again.`);
  }

  #expectAccepted(embedding: GenerationEmbedding, kind: EmbeddingKind | undefined): void {
    const { accepts } = this.#folder;
    const wanted = kind && accepts.includes(kind) ? kind : (accepts[0] ?? "text");
    const fix = "Stable Diffusion 1.x goes with SEED v1, 2.1 unCLIP with SEED v2.";
    expectShape(embedding, this.shapeOf(wanted), fix);
  }

  /** The inputs of the UNet besides latents and step, one picture per seed. Without embeddings: those of unconditional sampling. */
  async #conditioning(
    seeds: readonly number[],
    embeddings: readonly GenerationEmbedding[] | undefined,
    prompt: GenerationEmbedding | undefined,
    { noiseLevel: level = 0, noise }: DiffusionOptions,
  ): Promise<Values> {
    const [texts, images] =
      embeddings?.[0] && kindOf(embeddings[0]) === "text" ? [embeddings, undefined] : [undefined, embeddings];
    const context = stack(texts ?? repeated(prompt ?? (await this.#noText()), seeds.length));
    const { imageNoise, imageWidth: E, draftShape } = this.#folder;
    if (draftShape) return { context, channels: images ? stack(images) : zeros([seeds.length, ...draftShape]) };
    if (E === 0) return { context };
    if (imageNoise) {
      if (!images) return { context, class_embedding: emptyClassVectors(seeds.length, E) };
      // Not the noise that the latents start from.
      const own = seeds.map((seed) => (hashText("image noise") ^ seed) >>> 0);
      const blur = noise?.image ? repeat({ shape: [1, E], data: noise.image }, seeds.length) : noiseLatents(own, [E]);
      const classes = unclipClassVectors(stack(images), blur.data as Float32Array, { ...imageNoise, level });
      return { context, class_embedding: classes };
    }
    const class_embedding = images ? stack(images) : zeros([seeds.length, E]);
    if (!this.#folder.parts.conditioner) return { context, class_embedding };
    return { context, class_embedding, ...(await this.#programs.run("conditioner", { class_embedding })) };
  }

  async #pictures(latents: Value): Promise<RgbImage[]> {
    const pixels = (await this.#programs.output("vae", { latents }, "pixels")).data as Float32Array;
    const side = this.imageSize;
    return Array.from({ length: item(latents.shape, 0) }, (_, b) => fromTensor(pixels, side, side, b));
  }

  #noText(): Promise<GenerationEmbedding> {
    this.#emptyPrompt ??= this.#features([""]).then((rows) => item(rows, 0));
    return this.#emptyPrompt;
  }
}

function zeros(shape: readonly number[]): Value {
  return { shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)) };
}

function repeated<T>(one: T, count: number): T[] {
  return Array<T>(count).fill(one);
}

/** As one batch. */
function stack(embeddings: readonly GenerationEmbedding[]): Value {
  const [{ shape, data: first }] = embeddings as [GenerationEmbedding, ...GenerationEmbedding[]];
  const data = new Float32Array(embeddings.length * first.length);
  for (const [b, one] of embeddings.entries()) data.set(one.data, b * first.length);
  return { shape: [embeddings.length, ...shape], data };
}
