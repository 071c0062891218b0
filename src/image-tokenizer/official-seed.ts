/**
 * The published SEED tokenizer, from a folder that `seedling import` made: pictures to 32 codes, codes to the embedding
 * that Stable Diffusion reads (stable-diffusion.ts), which is not part of such a folder.
 */
import { UsageError } from "../base/errors.ts";
import { type Codes, checkCodes } from "../codes/index.ts";
import { buildFrom, Params, shapesOf } from "../graph/index.ts";
import { type RgbImage, resize, toTensor } from "../image/index.ts";
import { type ImageSource, loadPicture, type PrepareOptions } from "../image/source.ts";
import type { GenerationEmbedding } from "../image-decoder/decoder.ts";
import { modelFolder } from "../io/hub/index.ts";
import { join } from "../io/paths.ts";
import { type BatchOptions, inBatches, rows } from "../runtime/batches.ts";
import type { Value } from "../runtime/index.ts";
import { Programs } from "../runtime/programs.ts";
import { readJsonFile } from "../weights/index.ts";
import { downloadOptions, runtimeOptions, type TokenizerLoadOptions } from "../weights/load-options.ts";
import { type CheckedWeights, checkedWeights } from "../weights/mapped/weights.ts";
import { weightsAs } from "../weights/quantized/weights-as.ts";
import { CodeVectors, type KeepOptions } from "./code-vectors.ts";
import { type OfficialConfig, parseOfficialConfig } from "./official/config.ts";
import { type OfficialGraphs, officialGraphs } from "./official/graphs.ts";
import type { TokenizedImage } from "./seed-tokenizer.ts";

export class OfficialSeed {
  readonly config: OfficialConfig;
  readonly #graphs: OfficialGraphs;
  readonly #programs: Programs<keyof OfficialGraphs>;
  readonly #vectors: CodeVectors | undefined;

  /**
   * Opens an imported folder, or one on the Hub by its name (owner/name), and checks all of it; nothing is compiled yet.
   * @throws SetupError if a file is missing, InputError if one is damaged or they do not belong together.
   */
  static async fromPretrained(idOrFolder: string, options: TokenizerLoadOptions = {}): Promise<OfficialSeed> {
    const folder = await modelFolder(idOrFolder, downloadOptions(options));
    options.onProgress?.(`opening ${folder}`);
    const where = join(folder, "config.json");
    const config = parseOfficialConfig(await readJsonFile(where), where);
    const p = new Params();
    const graphs = buildFrom(where, () => officialGraphs(config, p));
    const checked = await checkedWeights(join(folder, "model.safetensors"), shapesOf(p));
    if (options.dtype === "int8") options.onProgress?.("rounding weights to 8 bits");
    const weights = await weightsAs(options.dtype, checked, Object.values(graphs));
    const width = config.codec?.codebook.width;
    const vectors = width && new CodeVectors(await weights.read("quantize.embedding.weight"), width);
    return new OfficialSeed(config, { graphs, weights, vectors: vectors || undefined }, options);
  }

  private constructor(
    config: OfficialConfig,
    parts: { graphs: OfficialGraphs; weights: CheckedWeights; vectors: CodeVectors | undefined },
    options: TokenizerLoadOptions,
  ) {
    const { graphs, weights, vectors } = parts;
    this.config = config;
    this.#graphs = graphs;
    this.#vectors = vectors;
    const part = (name: keyof OfficialGraphs) => ({ outputs: graphs[name]!, weights });
    this.#programs = new Programs(part, runtimeOptions(options), (name) => options.onProgress?.(`compiling ${name}`));
  }

  /** Number of codes in the codebook; a code is in 0..codebookSize-1. 0 if there is no codebook, as in BLIP-2. */
  get codebookSize(): number {
    return this.config.codec?.codebook.codes ?? 0;
  }

  /** The picture as the model sees it: decoded, then squashed to its square (224 px) exactly as Pillow does. */
  async prepare(source: ImageSource, options: PrepareOptions = {}): Promise<RgbImage> {
    const size = this.config.vision.imageSize;
    return resize(await loadPicture(source, options), size, size, options.filter);
  }

  /** Pictures -> 32 codes each. @throws UsageError if the checkpoint has no codebook. */
  async encode(
    images: readonly ImageSource[],
    options: BatchOptions & Pick<PrepareOptions, "filter"> = {},
  ): Promise<TokenizedImage[]> {
    if (!this.#graphs.see.ids) throw lacks("a codebook", "quantize.embedding.weight");
    return rows<Int32Array>(await this.#see(images, options, "ids")).map((codes) => ({ codes }));
  }

  /** Pictures -> unit vectors f32 [F] of the contrastive space of stage 1. @throws UsageError if it was not in the files. */
  async embed(
    images: readonly ImageSource[],
    options: BatchOptions & Pick<PrepareOptions, "filter"> = {},
  ): Promise<Float32Array[]> {
    if (!this.#graphs.see.feature) throw lacks("a contrastive space", "vision_proj.weight");
    return rows(await this.#see(images, options, "feature"));
  }

  /**
   * Codes -> what Stable Diffusion is told: by default the image embedding if there is one (v2), else text features (v1).
   * @throws InputError for a code outside the codebook; UsageError if the checkpoint has no such head.
   */
  async generationEmbeddings(
    codes: readonly ArrayLike<number>[],
    { head, ...options }: BatchOptions & KeepOptions & { readonly head?: "image" | "text" } = {},
  ): Promise<GenerationEmbedding[]> {
    const name = head ?? (this.#graphs.image ? "image" : "text");
    if (!this.#graphs[name] || !this.#vectors) throw lacks(`a head for ${name}`, `distill_${name}_proj.weight`);
    const vectors = this.#vectors;
    const checked: Codes[] = codes.map((list, i) => checkCodes(Array.from(list), `picture ${i}`, this.codebookSize));
    const parts = await inBatches(checked, options, async (chunk) => {
      return (await this.#programs.run(name, { vectors: vectors.lookUp(chunk, options) }))[name]!;
    });
    const shape = parts[0]?.shape.slice(1) ?? [];
    return rows<Float32Array>(parts).map((data) => ({ shape, data }));
  }

  /** Ends the worker thread. Calls that are under way fail. */
  close(): Promise<void> {
    return this.#programs.close();
  }

  #see(
    images: readonly ImageSource[],
    { filter, ...options }: BatchOptions & Pick<PrepareOptions, "filter">,
    output: string,
  ): Promise<Value[]> {
    const size = this.config.vision.imageSize;
    return inBatches(images, options, async (chunk) => {
      const prepared: RgbImage[] = [];
      for (const image of chunk) prepared.push(await this.prepare(image, filter ? { filter } : {}));
      const pixels = { shape: [chunk.length, 3, size, size], data: toTensor(prepared) };
      return (await this.#programs.run("see", { pixels }, [output]))[output]!;
    });
  }
}

function lacks(what: string, tensor: string): UsageError {
  return new UsageError(`this model: expected ${what}, found none. Import a checkpoint that has ${tensor}.`);
}
