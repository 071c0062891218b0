/**
 * The image tokenizer: pictures to 32 causal codes, codes to generation embeddings and pictures, and the spaces around
 * them. One class for models that were trained here and for imported official weights; `capabilities` says what a folder
 * can do.
 */
import { UsageError } from "../base/errors.ts";
import { entry, given } from "../base/item.ts";
import { type Codes, checkCodes, codebookHash } from "../codes/index.ts";
import { type ChannelStats, CLIP_STATS, type RgbImage, resize, toTensor } from "../image/index.ts";
import { type ImageSource, loadPicture, type PrepareOptions } from "../image/source.ts";
import type { EmbeddingKind, GenerationEmbedding } from "../image-decoder/decoder.ts";
import { DiffusionDecoder, type DiffusionOptions } from "../image-decoder/diffusion-decoder.ts";
import { modelFolder } from "../io/hub/index.ts";
import { packagePath } from "../io/paths.ts";
import type { ModelConfig } from "../models/config.ts";
import { queriesOf } from "../models/seed-tokenizer.ts";
import { type BatchOptions, inBatches, rows } from "../runtime/batches.ts";
import type { Value, Values } from "../runtime/index.ts";
import { Programs } from "../runtime/programs.ts";
import { downloadOptions, programsOptions } from "../weights/load-options.ts";
import { weightsAs } from "../weights/quantized/weights-as.ts";
import { type Capability, capabilitiesOf, expectCapability } from "./capabilities.ts";
import { CodeVectors, type KeepOptions } from "./code-vectors.ts";
import { type ProgramName, textLength } from "./graphs.ts";
import type {
  DecodeCodesOptions,
  EncodeOptions,
  TextOptions,
  TokenizedImage,
  TokenizerLoadOptions,
} from "./options.ts";
import { decodingHead, openSeedFolder, type SeedFolder } from "./seed-folder.ts";
import { clipTextOf, padTokens, textFeaturesOf } from "./text-features.ts";

export type { ImageSource, PrepareOptions } from "../image/source.ts";
export type { DecoderOptions } from "../image-decoder/decoder.ts";
export type { BatchOptions } from "../runtime/batches.ts";
export type { LoadOptions } from "../weights/load-options.ts";
export type { Capability } from "./capabilities.ts";
export type { KeepOptions } from "./code-vectors.ts";
export type * from "./options.ts";

/** The folder of seedling-mini, the model that comes with the package. */
export const BUNDLED_MODEL = packagePath(new URL(/* @vite-ignore */ "../../models/seedling-mini", import.meta.url));

/** Tokens of a caption in stage 1, published. */
const TRAINED_TOKENS = 32;

export class SeedTokenizer {
  readonly config: ModelConfig;
  /** What the model can do; anything else is a UsageError that names what it would need. */
  readonly capabilities: ReadonlySet<Capability>;
  /** Hash of the codebook, 16 hex digits: codes of another one mean something else. Empty without a codebook. */
  readonly codebookHash: string;
  readonly #folder: SeedFolder;
  readonly #programs: Programs<ProgramName>;
  readonly #vectors: CodeVectors;
  readonly #decoder: DiffusionDecoder | undefined;
  /** The kind of embedding by which codes are decoded. */
  readonly #head: EmbeddingKind | undefined;

  /**
   * Opens a model folder, or a model of the Hub by its name (owner/name), and checks all of it; nothing is compiled yet.
   * @throws SetupError if a file is missing, InputError if one is damaged or they do not belong together; UsageError for a
   * dtype that the folder cannot give.
   */
  static async fromPretrained(
    idOrFolder: string = BUNDLED_MODEL,
    options: TokenizerLoadOptions = {},
  ): Promise<SeedTokenizer> {
    const path = await modelFolder(idOrFolder, downloadOptions(options));
    options.onProgress?.(`opening ${path}`);
    const { decoder: elsewhere, scheduler, tokenizer, dtype } = options;
    const opened = await openSeedFolder(path, { tokenizer, scheduler, withoutDecoder: elsewhere !== undefined });
    const { codebook } = opened.config;
    const table = codebook ? await opened.weights.read("quantize.embedding.weight") : new Float32Array(0);
    const missing = codebook?.missing ? await opened.weights.read("quantize.missing") : undefined;
    const vectors = new CodeVectors(table, codebook?.width ?? 1, missing, queriesOf(opened.config));
    if (dtype === "int8") options.onProgress?.("rounding weights to 8 bits");
    const weights = await weightsAs(dtype, opened.weights, Object.values(opened.graphs));
    const folder = { ...opened, weights };
    const { graphs } = folder;
    const programs = new Programs<ProgramName>(
      (name) => ({ outputs: entry(graphs, name), weights }),
      programsOptions(options),
    );
    const parent = { features: textFeaturesOf(folder, programs), programs };
    const decoder =
      elsewhere !== undefined
        ? await DiffusionDecoder.fromPretrained(elsewhere, { ...options, dtype: undefined })
        : folder.decoder && (await DiffusionDecoder.open(folder.decoder, options, parent));
    return new SeedTokenizer(folder, { programs, vectors, decoder });
  }

  private constructor(
    folder: SeedFolder,
    parts: { programs: Programs<ProgramName>; vectors: CodeVectors; decoder?: DiffusionDecoder },
  ) {
    const { programs, vectors, decoder } = parts;
    this.config = folder.config;
    this.codebookHash = folder.config.codebook ? codebookHash(vectors.table) : "";
    this.#folder = folder;
    this.#programs = programs;
    this.#vectors = vectors;
    this.#decoder = decoder;
    this.#head = decoder && decodingHead(folder.config, decoder);
    const text = decoder?.accepts.includes("text") && (folder.graphs.clipText !== undefined || decoder.hasTextEncoder);
    this.capabilities = capabilitiesOf(folder, { codes: this.#head, text: text ?? false });
  }

  /** @throws UsageError naming what the model would need, if it cannot do this */
  expect(wanted: Capability): void {
    expectCapability(this.#folder.path, this.capabilities, wanted);
  }

  /** The codebook's vectors, f32 [codes,E]; empty without a codebook. Not to be changed. */
  get codebook(): Float32Array {
    return this.#vectors.table;
  }

  /** Number of codes in the codebook; a code is in 0..codebookSize-1. 0 if there is no codebook, as in BLIP-2. */
  get codebookSize(): number {
    return this.config.codebook?.codes ?? 0;
  }

  /** Codes of a picture: 32, unless the model is an ablation, for which there are neither files of codes nor language models. */
  get codesPerImage(): number {
    return queriesOf(this.config);
  }

  /** Rows and columns of decoded pictures, px; 0 without an image decoder. */
  get decodedSize(): number {
    return this.#decoder?.imageSize ?? 0;
  }

  /**
   * The picture as the model sees it: decoded, then squashed to its square exactly as Pillow does.
   * @throws InputError if the bytes are not a picture or the file is missing.
   */
  async prepare(source: ImageSource, options: PrepareOptions = {}): Promise<RgbImage> {
    const size = this.config.vision.imageSize;
    return resize(await loadPicture(source, options), size, size, options.filter);
  }

  /** Pictures -> 32 codes each. */
  async encode(images: readonly ImageSource[], options: EncodeOptions = {}): Promise<TokenizedImage[]> {
    this.expect("encode");
    return rows<Int32Array>(await this.#see(images, options, "encodeImage", "ids")).map((codes) => ({ codes }));
  }

  /** Pictures -> the last causal embedding in the space that it shares with captions: unit vectors f32 [F]. */
  async embed(images: readonly ImageSource[], options: EncodeOptions = {}): Promise<Float32Array[]> {
    this.expect("embed");
    return rows(await this.#see(images, options, "encodeImage", "embedding"));
  }

  /** What `encode` and `embed` give, in one pass, as far as the model can do them. */
  async encodeAndEmbed(
    images: readonly ImageSource[],
    options: EncodeOptions = {},
  ): Promise<{ readonly codes?: Int32Array; readonly embedding?: Float32Array }[]> {
    const outputs = Object.keys(this.#folder.graphs.encodeImage ?? {}).filter((name) => name !== "embeddings");
    const parts = await this.#run(images, options, "encodeImage", outputs);
    const of = <T extends Float32Array | Int32Array>(name: string): T[] | undefined =>
      outputs.includes(name) ? rows<T>(parts.map((values) => values[name] as Value)) : undefined;
    const [codes, embeddings] = [of<Int32Array>("ids"), of<Float32Array>("embedding")];
    return images.map((_, i) => ({ codes: codes?.[i], embedding: embeddings?.[i] }));
  }

  /**
   * Captions -> unit vectors f32 [F] of the same space. What is longer than `maxTokens` is cut off.
   * @throws UsageError if the model reads fewer tokens than that
   */
  async embedText(captions: readonly string[], { maxTokens, ...options }: TextOptions = {}): Promise<Float32Array[]> {
    this.expect("embedText");
    const tokenizer = given(this.#folder.tokenizer, "a tokenizer");
    const L = textLength(this.config);
    const tokens = maxTokens ?? Math.min(L, this.config.textEncoder ? L : TRAINED_TOKENS);
    if (!Number.isInteger(tokens) || tokens < 2 || tokens > L)
      throw new UsageError(`maxTokens: expected a whole number from 2 to ${L}, got ${tokens}.`);
    const parts = await inBatches(captions, options, async (chunk) => {
      const shape = [chunk.length, L];
      const { ids, mask } = tokenizer.encode(chunk, tokens);
      const value = (data: Int32Array): Value => ({ shape, data: padTokens(data, tokens, L) });
      const feeds = { ids: value(ids), mask: value(mask) };
      return this.#programs.output("encodeText", feeds, "embedding");
    });
    return rows(parts);
  }

  /** Pictures -> all causal embeddings, f32 [Q W] each: what the codebook quantizes, for models that read them as they are. */
  async causalEmbeddings(images: readonly ImageSource[], options: EncodeOptions = {}): Promise<Float32Array[]> {
    return rows(await this.#see(images, options, "causalEmbeddings", "embeddings"));
  }

  /** Codes -> unit vectors f32 [F] of the same space, from the rebuilt causal embeddings: search with codes alone. */
  async embedCodes(
    codes: readonly ArrayLike<number>[],
    options: BatchOptions & KeepOptions = {},
  ): Promise<Float32Array[]> {
    this.expect("embedCodes");
    const parts = await inBatches(this.#check(codes), options, async (chunk) => {
      return this.#programs.output("embedCodes", { vectors: this.#lookUp(chunk, options) }, "embedding");
    });
    return rows(parts);
  }

  /**
   * Codes -> what an image decoder is conditioned on: an image embedding [width] (v2), text features [tokens,width] (v1),
   * or a draft [channels,rows,columns] (ours). Default of `head`: what the decoder of the model reads, else the first of
   * image, text and draft that there is.
   * @throws InputError for a code outside the codebook; UsageError if the model has no such head.
   */
  async generationEmbeddings(
    codes: readonly ArrayLike<number>[],
    { head, ...options }: BatchOptions & KeepOptions & { readonly head?: EmbeddingKind } = {},
  ): Promise<GenerationEmbedding[]> {
    this.expect("generationEmbeddings");
    const kind = head ?? this.#head ?? (["image", "text", "draft"] as const).find((one) => this.config[one]) ?? "text";
    if (!this.config[kind])
      throw new UsageError(
        `${this.#folder.path}: expected a head for ${kind}, found none. Import a checkpoint that has distill_${kind}_proj.weight.`,
      );
    const parts = await inBatches(this.#check(codes), options, async (chunk) => {
      return this.#programs.output("generationEmbedding", { vectors: this.#lookUp(chunk, options) }, kind);
    });
    const shape = parts[0]?.shape.slice(1) ?? [];
    return rows<Float32Array>(parts).map((data) => ({ shape, data }));
  }

  /** Pictures -> the frozen CLIP pair's image embedding, f32 [Fc], not normalized. */
  async clipImage(images: readonly ImageSource[], options: EncodeOptions = {}): Promise<Float32Array[]> {
    this.expect("clipImage");
    return rows(await this.#see(images, options, "clipImage", "embedding"));
  }

  /** Captions -> the frozen CLIP pair's text embedding, f32 [Fc], not normalized. */
  async clipText(captions: readonly string[], options: BatchOptions = {}): Promise<Float32Array[]> {
    this.expect("clipText");
    const parts = await inBatches(captions, options, async (chunk) => {
      return (await clipTextOf(this.#folder, this.#programs, chunk)).embedding;
    });
    return rows(parts);
  }

  /**
   * Codes -> pictures. The same codes, seed and settings give the same picture, whatever else is in the batch.
   * @throws InputError for a code outside the codebook or another number of codes than the model has.
   */
  async decode(codes: readonly ArrayLike<number>[], options: DecodeCodesOptions = {}): Promise<RgbImage[]> {
    const decoder = this.#expectDecoder("decode");
    const { keep, rest, negative, ...sampling } = options;
    const head = this.#head;
    const { batch, signal } = sampling;
    const embeddings = await this.generationEmbeddings(codes, { head, keep, rest, batch: batch ?? 8, signal });
    const [away] = negative ? await this.generationEmbeddings([negative], { head }) : [];
    return decoder.decode(embeddings, { ...sampling, negative: away });
  }

  /**
   * Codes -> soft pictures within milliseconds, without the diffusion model: the draft that it would sharpen.
   * @throws InputError for a code outside the codebook; UsageError if the decoder does not read drafts
   */
  async decodeDraft(
    codes: readonly ArrayLike<number>[],
    options: BatchOptions & KeepOptions = {},
  ): Promise<RgbImage[]> {
    const decoder = this.#expectDecoder("decodeDraft");
    return decoder.preview(await this.generationEmbeddings(codes, { ...options, head: "draft" }), options);
  }

  /** Captions -> pictures, straight from the text features that a decoder reads: what codes are measured against. */
  async decodeText(captions: readonly string[], options: DiffusionOptions = {}): Promise<RgbImage[]> {
    const decoder = this.#expectDecoder("decodeText");
    const own = decoder.hasTextEncoder ? undefined : textFeaturesOf(this.#folder, this.#programs);
    const features = own ?? ((texts: readonly string[], batch: BatchOptions) => decoder.features(texts, batch));
    return decoder.decode(await features(captions, { batch: options.batch ?? 8, signal: options.signal }), options);
  }

  /** Text features that another model made of captions -> pictures, as `decodeText` decodes those of its own encoder. */
  decodeFeatures(features: readonly GenerationEmbedding[], options: DiffusionOptions = {}): Promise<RgbImage[]> {
    return this.#expectDecoder("decodeText").decode(features, options);
  }

  /** Ends the worker threads. Calls that are under way fail. */
  async close(): Promise<void> {
    await this.#decoder?.close();
    await this.#programs.close();
  }

  #expectDecoder(wanted: Capability): DiffusionDecoder {
    this.expect(wanted);
    if (this.#decoder) return this.#decoder;
    throw new UsageError(`${this.#folder.path}: expected an image decoder, found none. Name one as \`decoder\`.`);
  }

  async #see(
    images: readonly ImageSource[],
    options: EncodeOptions,
    program: "encodeImage" | "clipImage" | "causalEmbeddings",
    output: string,
  ): Promise<Value[]> {
    return (await this.#run(images, options, program, [output])).map((values) => values[output] as Value);
  }

  #run(
    images: readonly ImageSource[],
    { filter, ...options }: EncodeOptions,
    program: "encodeImage" | "clipImage" | "causalEmbeddings",
    outputs: readonly string[],
  ): Promise<Values[]> {
    const size = this.config.vision.imageSize;
    const stats = (this.config.pixels ?? CLIP_STATS) as ChannelStats;
    return inBatches(images, options, async (chunk) => {
      const prepared: RgbImage[] = [];
      for (const image of chunk) prepared.push(await this.prepare(image, { filter })); // one by one: one may be very large
      const pixels = { shape: [chunk.length, 3, size, size], data: toTensor(prepared, stats) };
      return this.#programs.run(program, { pixels }, outputs);
    });
  }

  #lookUp(codes: readonly Codes[], options: KeepOptions): Value {
    return this.#vectors.lookUp(codes, options);
  }

  #check(codes: readonly ArrayLike<number>[]): Codes[] {
    return codes.map((list, i) => checkCodes(Array.from(list), `picture ${i}`, this.codebookSize, this.codesPerImage));
  }
}
