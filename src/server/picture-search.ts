/** An index of pictures that is searched, and small pictures of what is found. */
import { UsageError } from "../base/errors.ts";
import type { Codes } from "../codes/index.ts";
import { decodeImage, encodePng, MAX_PICTURE_BYTES, resize } from "../image/index.ts";
import { readFileBounded } from "../io/files.ts";
import { nearest } from "../search/flat-search.ts";
import { codesOf, type PictureIndex, readIndex } from "../search/picture-index.ts";

export interface FoundPicture {
  /** Number of the picture in the index. */
  readonly id: number;
  readonly path: string;
  /** Cosine of query and picture, at most 1. */
  readonly score: number;
  readonly codes: Codes;
}

/** Longer side, px. */
const THUMBNAIL = 192;

export class PictureSearch {
  readonly #index: PictureIndex;

  constructor(index: PictureIndex) {
    this.#index = index;
  }

  /** @throws as `readIndex` */
  static async open(folder: string): Promise<PictureSearch> {
    return new PictureSearch(await readIndex(folder));
  }

  get size(): number {
    return this.#index.pictures.length;
  }

  /** @throws UsageError if the index was made with other codes than those of the model */
  expectModel(id: string, codebook: string): void {
    if (codebook !== this.#index.codebook)
      throw new UsageError(`model: expected the one of the index, ${this.#index.model}, got ${id}. Name that model.`);
  }

  /** @param query a unit vector of the space that texts and pictures share */
  find(query: Float32Array, count: number): FoundPicture[] {
    return nearest(this.#index, query, count).map(({ at, score }) => ({
      id: at,
      path: this.#index.pictures[at]?.path ?? "",
      score: Math.round(Math.min(score, 1) * 1e4) / 1e4, // int8 rows can be a little longer than 1
      codes: codesOf(this.#index, at),
    }));
  }

  /** A small PNG file. @throws InputError if the picture is not there any more; undefined for a number that is none */
  async thumbnail(id: number): Promise<Uint8Array | undefined> {
    const path = this.#index.pictures[id]?.path;
    if (path === undefined) return undefined;
    const image = await decodeImage(await readFileBounded(path, MAX_PICTURE_BYTES), path);
    const scale = Math.min(1, THUMBNAIL / Math.max(image.width, image.height));
    const side = (length: number): number => Math.max(1, Math.round(length * scale));
    return encodePng(resize(image, side(image.width), side(image.height)));
  }
}
