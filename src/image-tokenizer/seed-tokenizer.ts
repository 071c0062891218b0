/** The tokenizer as a library: pictures to 32 causal codes and back, and the spaces around them. */
import { UsageError } from "../base/errors.ts";
import { type Codes, checkCodes, codebookHash } from "../codes/index.ts";
import { type ChannelStats, type RgbImage, resize, toTensor } from "../image/index.ts";
import { type ImageSource, loadPicture, type PrepareOptions } from "../image/source.ts";
import type { PaintOptions } from "../image-decoder/paint-in-batches.ts";
import { type Hint, Painter } from "../image-decoder/painter.ts";
import { modelFolder } from "../io/hub/index.ts";
import { packagePath } from "../io/paths.ts";
import type { SeedlingConfig } from "../models/config.ts";
import { type BatchOptions, inBatches, rows } from "../runtime/batches.ts";
import type { Value, WeightSource } from "../runtime/index.ts";
import { Programs } from "../runtime/programs.ts";
import { downloadOptions, runtimeOptions, type TokenizerLoadOptions } from "../weights/load-options.ts";
import { weightsAs } from "../weights/quantized/weights-as.ts";
import { CodeVectors, type KeepOptions } from "./code-vectors.ts";
import { isOfficialFolder } from "./official/config.ts";
import { openSeedFolder, type ProgramName, paintedSize, type SeedFolder } from "./seed-folder.ts";

export type { ImageSource, PrepareOptions } from "../image/source.ts";
export type { PaintOptions } from "../image-decoder/paint-in-batches.ts";
export type { BatchOptions } from "../runtime/batches.ts";
export type { LoadOptions, TokenizerLoadOptions } from "../weights/load-options.ts";
export type { KeepOptions } from "./code-vectors.ts";

export interface TokenizedImage {
  /** i32 [32], in causal order: the first say the most. */
  readonly codes: Int32Array;
}

/** The folder of seedling-mini, the model that comes with the package. */
export const BUNDLED_MODEL = packagePath(new URL("../../models/seedling-mini", import.meta.url));

export class SeedTokenizer {
  readonly config: SeedlingConfig;
  /** Names the codebook by its numbers: codes of another mean other things. */
  readonly codebookHash: string;
  readonly #folder: SeedFolder;
  readonly #programs: Programs<ProgramName>;
  readonly #vectors: CodeVectors;
  readonly #painter: Painter;
  #emptyText: Promise<Value> | undefined;

  /**
   * Opens a model folder, or a model of the Hub by its name (owner/name), and checks all of it; nothing is compiled yet.
   * @throws SetupError if a file is missing, InputError if one is damaged or they do not belong together; UsageError for
   * imported SEED weights, which OfficialSeed opens, and for a dtype that the folder cannot give.
   */
  static async fromPretrained(
    idOrFolder: string = BUNDLED_MODEL,
    options: TokenizerLoadOptions = {},
  ): Promise<SeedTokenizer> {
    const folder = await modelFolder(idOrFolder, downloadOptions(options));
    options.onProgress?.(`opening ${folder}`);
    if (await isOfficialFolder(folder))
      throw new UsageError(
        `${folder}: expected a model that was trained here, got imported SEED weights. Open them with OfficialSeed.fromPretrained.`,
      );
    const opened = await openSeedFolder(folder);
    const table = await opened.weights.read("quantize.embedding.weight");
    const vectors = new CodeVectors(table, opened.config.codebook.width);
    const { dtype } = options;
    if (dtype === "int8") options.onProgress?.("rounding weights to 8 bits");
    // The autoencoder is nearly all convolutions, which stay as they are.
    const { unet, vae: _, ...graphs } = opened.graphs;
    const weights = await weightsAs(dtype, opened.weights, Object.values(graphs));
    const unetWeights = await weightsAs(dtype, opened.unetWeights, [unet]);
    return new SeedTokenizer({ ...opened, weights, unetWeights }, vectors, codebookHash(table), options);
  }

  private constructor(folder: SeedFolder, vectors: CodeVectors, hash: string, options: TokenizerLoadOptions) {
    this.config = folder.config;
    this.codebookHash = hash;
    this.#folder = folder;
    this.#vectors = vectors;
    const { graphs, weights, unetWeights, vaeWeights } = folder;
    const own: Partial<Record<ProgramName, WeightSource>> = { unet: unetWeights, vae: vaeWeights };
    this.#programs = new Programs(
      (name) => ({ outputs: graphs[name], weights: own[name] ?? weights }),
      runtimeOptions(options),
      (name) => options.onProgress?.(`compiling ${name}`),
    );
    this.#painter = new Painter(folder, this.#programs, () => this.#noText());
  }

  /** The codebook's vectors, f32 [codes,E]. Not to be changed. */
  get codebook(): Float32Array {
    return this.#vectors.table;
  }

  /** Number of codes in the codebook; a code is in 0..codebookSize-1. */
  get codebookSize(): number {
    return this.config.codebook.codes;
  }

  /** Rows and columns of the pictures that are painted, px. */
  get paintedSize(): number {
    return paintedSize(this.#folder);
  }

  /**
   * The picture as the model sees it: decoded, then squashed to its square exactly as Pillow does.
   * @throws InputError if the bytes are no picture; SetupError if the file is missing.
   */
  async prepare(source: ImageSource, options: PrepareOptions = {}): Promise<RgbImage> {
    const size = this.config.vision.imageSize;
    return resize(await loadPicture(source, options), size, size, options.filter);
  }

  /** Pictures -> 32 codes each. */
  async encode(images: readonly ImageSource[], options: BatchOptions = {}): Promise<TokenizedImage[]> {
    return rows<Int32Array>(await this.#see(images, options, "see", "ids")).map((codes) => ({ codes }));
  }

  /** Pictures -> the Causal Q-Former's last embedding in the space it shares with captions: unit vectors f32 [F]. */
  async embed(images: readonly ImageSource[], options: BatchOptions = {}): Promise<Float32Array[]> {
    return rows(await this.#see(images, options, "see", "embedding"));
  }

  /** Captions -> unit vectors f32 [F] of the same space. Words beyond the model's length are cut off. */
  async embedText(captions: readonly string[], options: BatchOptions = {}): Promise<Float32Array[]> {
    const L = this.config.textEncoder.maxPositions;
    const parts = await inBatches(captions, options, async (chunk) => {
      const { ids, mask } = this.#folder.tokenizer.encode(chunk, L);
      const shape = [chunk.length, L];
      return (await this.#programs.run("read", { ids: { shape, data: ids }, mask: { shape, data: mask } })).embedding!;
    });
    return rows(parts);
  }

  /** Codes -> unit vectors f32 [F] of the same space, from the reconstructed embeddings: search with codes alone. */
  async embedCodes(
    codes: readonly ArrayLike<number>[],
    options: BatchOptions & KeepOptions = {},
  ): Promise<Float32Array[]> {
    const parts = await inBatches(this.#check(codes), options, async (chunk) => {
      return (await this.#programs.run("recall", { vectors: this.#vectors.lookUp(chunk, options) })).embedding!;
    });
    return rows(parts);
  }

  /** Pictures -> the frozen CLIP pair's image embedding, f32 [Fc], not normalized. */
  async clipImage(images: readonly ImageSource[], options: BatchOptions = {}): Promise<Float32Array[]> {
    return rows(await this.#see(images, options, "clipImage", "embedding"));
  }

  /** Captions -> the frozen CLIP pair's text embedding, f32 [Fc], not normalized. */
  async clipText(captions: readonly string[], options: BatchOptions = {}): Promise<Float32Array[]> {
    const parts = await inBatches(captions, options, async (chunk) => (await this.#caption(chunk)).embedding!);
    return rows(parts);
  }

  /**
   * Codes -> painted pictures. The same codes, seed and settings give the same picture, whatever else is in the batch.
   * @throws InputError for a code outside the codebook or another number of codes than 32.
   */
  async decode(codes: readonly ArrayLike<number>[], options: PaintOptions & KeepOptions = {}): Promise<RgbImage[]> {
    const checked = this.#check(codes);
    const hint = async (start: number, size: number): Promise<Hint> => {
      const vectors = this.#vectors.lookUp(checked.slice(start, start + size), options);
      return (await this.#programs.run("imagine", { vectors })) as unknown as Hint;
    };
    return this.#painter.paint(codes.length, hint, options);
  }

  /** Captions -> painted pictures, straight from the text encoder: what the codes are measured against. */
  async paint(captions: readonly string[], options: PaintOptions = {}): Promise<RgbImage[]> {
    const hint = async (start: number, size: number): Promise<Hint> => ({
      text: (await this.#caption(captions.slice(start, start + size))).features!,
    });
    return this.#painter.paint(captions.length, hint, options);
  }

  /** Ends the worker thread. Calls that are under way fail. */
  close(): Promise<void> {
    return this.#programs.close();
  }

  #see(
    images: readonly ImageSource[],
    options: BatchOptions,
    program: "see" | "clipImage",
    output: string,
  ): Promise<Value[]> {
    const size = this.config.vision.imageSize;
    const { mean, std } = this.config.pixels;
    return inBatches(images, options, async (chunk) => {
      const prepared: RgbImage[] = [];
      for (const image of chunk) prepared.push(await this.prepare(image)); // one by one: a picture may be very large
      const data = toTensor(prepared, { mean, std } as unknown as ChannelStats);
      return (await this.#programs.run(program, { pixels: { shape: [chunk.length, 3, size, size], data } }))[output]!;
    });
  }

  async #caption(captions: readonly string[]): Promise<{ features: Value; embedding: Value }> {
    const L = this.config.textEncoder.maxPositions;
    const { ids, end } = this.#folder.tokenizer.encode(captions, L);
    const B = captions.length;
    const feeds = { ids: { shape: [B, L], data: ids }, end: { shape: [B], data: end } };
    return (await this.#programs.run("clipText", feeds)) as { features: Value; embedding: Value };
  }

  #noText(): Promise<Value> {
    this.#emptyText ??= this.#caption([""]).then(({ features }) => features);
    return this.#emptyText;
  }

  #check(codes: readonly ArrayLike<number>[]): Codes[] {
    return codes.map((list, i) => checkCodes(Array.from(list), `picture ${i}`, this.codebookSize));
  }
}
