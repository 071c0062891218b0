/** An index of pictures that is searched, and small pictures of what is found. */
import { UsageError } from "../base/errors.ts";
import { decodeImage, encodePng, resize } from "../image/index.ts";
import { openIndex } from "../search/open-index.ts";
import { readIndexed } from "../search/read-picture.ts";
import type { Filter, FoundPicture, SearchIndex } from "../search/search-index.ts";

/** Longer side, px. */
const THUMBNAIL = 192;

export class PictureSearch {
  readonly #index: SearchIndex;

  constructor(index: SearchIndex) {
    this.#index = index;
  }

  /** @throws as `openIndex` */
  static async open(folder: string): Promise<PictureSearch> {
    return new PictureSearch(await openIndex(folder));
  }

  get size(): number {
    return this.#index.size;
  }

  /** @throws UsageError if the index was made with other codes than those of the model */
  expectModel(id: string, codebook: string): void {
    if (codebook !== this.#index.codebook)
      throw new UsageError(`model: expected the one of the index, ${this.#index.model}, got ${id}. Name that model.`);
  }

  /** @param query a unit vector of the space that texts and pictures share */
  find(query: Float32Array, count: number, filter: Filter = {}): Promise<FoundPicture[]> {
    return this.#index.nearest(query, count, filter);
  }

  /** A small PNG file. @throws InputError if the picture no longer exists; undefined if there is no picture of that id */
  async thumbnail(id: number): Promise<Uint8Array | undefined> {
    const path = await this.#index.pathOf(id);
    if (path === undefined) return undefined;
    const image = await decodeImage(await readIndexed(path), path);
    const scale = Math.min(1, THUMBNAIL / Math.max(image.width, image.height));
    const side = (length: number): number => Math.max(1, Math.round(length * scale));
    return encodePng(resize(image, side(image.width), side(image.height)));
  }
}
