/** Makes an index or brings one up to date: new and changed pictures are computed, vanished ones are left out. */
import type { Codes } from "../codes/index.ts";
import type { RgbImage } from "../image/index.ts";
import { codesOf, type IndexedPicture, makeIndex, type PictureIndex, rowOf, toInt8 } from "./picture-index.ts";

export interface IndexModel {
  readonly codebookHash: string;
  encode(
    images: readonly RgbImage[],
    options: { batch: number; signal?: AbortSignal },
  ): Promise<{ codes: ArrayLike<number> }[]>;
  embed(images: readonly RgbImage[], options: { batch: number; signal?: AbortSignal }): Promise<Float32Array[]>;
}

interface Entry {
  readonly picture: IndexedPicture;
  readonly codes: Codes;
  readonly row: Int8Array;
  readonly scale: number;
}

/** Collects entries, old ones and new ones, in the order in which pictures come. */
export class IndexBuilder {
  readonly #model: IndexModel;
  readonly #name: string;
  readonly #old: PictureIndex | undefined;
  readonly #known: ReadonlyMap<string, number>;
  readonly #entries = new Map<string, Entry>();
  #width = 0;
  #kept = 0;

  /** @param name of the model, for people. @param old an index of the same model to go on from */
  constructor(model: IndexModel, name: string, old?: PictureIndex) {
    this.#model = model;
    this.#name = name;
    this.#old = old;
    this.#width = old?.width ?? 0;
    this.#known = new Map(old?.pictures.map(({ path }, i) => [path, i]));
  }

  /** Pictures that were taken over from the old index. */
  get kept(): number {
    return this.#kept;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Takes a picture over from the old index if its size and time are the same. */
  keep(picture: IndexedPicture): boolean {
    const i = this.#known.get(picture.path);
    const before = i === undefined ? undefined : this.#old?.pictures[i];
    if (i === undefined || !this.#old || !before) return false;
    if (before.sizeBytes !== picture.sizeBytes || before.changedMs !== picture.changedMs) return false;
    const [codes, row, scale] = [codesOf(this.#old, i), rowOf(this.#old, i), this.#old.scales[i] ?? 1];
    this.#entries.set(picture.path, { picture, codes, row, scale });
    this.#kept++;
    return true;
  }

  /** Computes codes and embeddings of pictures. */
  async add(
    pictures: readonly { readonly picture: IndexedPicture; readonly image: RgbImage }[],
    signal?: AbortSignal,
  ): Promise<void> {
    const images = pictures.map(({ image }) => image);
    const options = { batch: images.length, signal };
    const codes = await this.#model.encode(images, options);
    const embeddings = await this.#model.embed(images, options);
    for (const [i, { picture }] of pictures.entries()) {
      const vector = embeddings[i] ?? new Float32Array(0);
      this.#width = vector.length;
      this.#entries.set(picture.path, { picture, codes: Array.from(codes[i]?.codes ?? []), ...toInt8(vector) });
    }
  }

  finish(): PictureIndex {
    const about = { codebook: this.#model.codebookHash, model: this.#name, width: Math.max(this.#width, 1) };
    return makeIndex(about, [...this.#entries.values()]);
  }
}
