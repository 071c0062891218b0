/** CLIP with both towers: pictures and texts in one space. Radford et al. 2021. It scores pictures in SEED's Table 2. */
import { type RgbImage, resizeAndCrop, toTensor } from "../../image/index.ts";
import { type ImageSource, loadPicture } from "../../image/source.ts";
import { modelFolder } from "../../io/hub/index.ts";
import { type BatchOptions, inBatches, rows } from "../../runtime/batches.ts";
import { Programs } from "../../runtime/programs.ts";
import { downloadOptions, type LoadOptions, programsOptions } from "../../weights/load-options.ts";
import { type ClipFolder, type ClipProgram, openClipFolder } from "./clip-folder.ts";
import { clipFiles } from "./hub-files.ts";

export class ClipModel {
  readonly #folder: ClipFolder;
  readonly #programs: Programs<ClipProgram>;

  /**
   * Opens a folder that `seedling import` or transformers wrote, or owner/name on the Hub.
   * @throws InputError if a file is missing or damaged, or they do not belong together; SetupError if a download fails
   */
  static async fromPretrained(idOrFolder: string, options: LoadOptions = {}): Promise<ClipModel> {
    const path = await modelFolder(idOrFolder, { ...downloadOptions(options), wanted: clipFiles });
    options.onProgress?.(`opening ${path}`);
    return new ClipModel(await openClipFolder(path), options);
  }

  private constructor(folder: ClipFolder, options: LoadOptions) {
    this.#folder = folder;
    const { graphs, weights } = folder;
    this.#programs = new Programs((name) => ({ outputs: graphs[name], weights }), programsOptions(options));
  }

  get path(): string {
    return this.#folder.path;
  }

  /** Rows and columns of its input, px. */
  get imageSize(): number {
    return this.#folder.sizes.vision.imageSize;
  }

  /**
   * Pictures -> image embeddings f32 [F], not normalized. As published: the shorter side is resized (bicubic), the middle
   * square is cut out.
   */
  async embedImages(images: readonly ImageSource[], options: BatchOptions = {}): Promise<Float32Array[]> {
    const side = this.imageSize;
    const parts = await inBatches(images, options, async (chunk) => {
      const prepared: RgbImage[] = [];
      for (const image of chunk) prepared.push(resizeAndCrop(await loadPicture(image), side, "bicubic"));
      const pixels = { shape: [chunk.length, 3, side, side], data: toTensor(prepared) };
      return this.#programs.output("image", { pixels }, "embedding");
    });
    return rows(parts);
  }

  /** Texts -> text embeddings f32 [F], not normalized. Longer texts are truncated. */
  async embedTexts(texts: readonly string[], options: BatchOptions = {}): Promise<Float32Array[]> {
    const { prompts, sizes } = this.#folder;
    const L = sizes.text.maxPositions;
    const parts = await inBatches(texts, options, async (chunk) => {
      const data = new Int32Array(chunk.length * L);
      const end = new Int32Array(chunk.length);
      for (const [b, text] of chunk.entries()) {
        const ids = prompts.encode(text);
        data.set(ids, b * L);
        end[b] = ids.indexOf(ids.reduce((most, id) => Math.max(most, id), 0)); // the end token has the largest id
      }
      const feeds = { ids: { shape: [chunk.length, L], data }, end: { shape: [chunk.length], data: end } };
      return this.#programs.output("text", feeds, "embedding");
    });
    return rows(parts);
  }

  /** Ends the worker thread. Calls that are under way fail. */
  close(): Promise<void> {
    return this.#programs.close();
  }
}
