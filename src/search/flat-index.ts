/** An index whose rows are in memory, from files of our own. */
import { PACKED_BYTES, packCodes } from "../codes/index.ts";
import { exists } from "../io/files.ts";
import { replaceFolder } from "../io/replace-folder-node.ts";
import { acceptBy } from "./filter.ts";
import { nearest } from "./flat-search.ts";
import { codesOf, type IndexedPicture, type PictureIndex, readIndex, toInt8, writeIndex } from "./picture-index.ts";
import {
  type Filter,
  type FoundPicture,
  type IndexAbout,
  type IndexChanges,
  type IndexWriter,
  type NewEntry,
  roundedScore,
  type SearchIndex,
} from "./search-index.ts";

export class FlatIndex implements SearchIndex {
  readonly #index: PictureIndex;

  constructor(index: PictureIndex) {
    this.#index = index;
  }

  get codebook(): string {
    return this.#index.codebook;
  }

  get model(): string {
    return this.#index.model;
  }

  get width(): number {
    return this.#index.width;
  }

  get size(): number {
    return this.#index.pictures.length;
  }

  async nearest(query: Float32Array, count: number, filter: Filter = {}): Promise<FoundPicture[]> {
    const { pictures } = this.#index;
    const accepted = acceptBy(filter);
    const hits = nearest(this.#index, query, count, accepted && ((at) => accepted(pictures[at] as IndexedPicture)));
    return hits.map(({ at, score }) => ({
      ...(pictures[at] as IndexedPicture),
      id: at,
      score: roundedScore(score),
      codes: codesOf(this.#index, at),
    }));
  }

  async pathOf(id: number): Promise<string | undefined> {
    return this.#index.pictures[id]?.path;
  }

  async load(): Promise<PictureIndex> {
    return this.#index;
  }

  async close(): Promise<void> {}
}

/** Rows of bytes, of one length, in one buffer that grows. */
class Rows {
  readonly #length: number;
  #bytes: Uint8Array;

  constructor(length: number, count: number) {
    this.#length = length;
    this.#bytes = new Uint8Array(length * count);
  }

  set(at: number, row: Uint8Array): void {
    const end = (at + 1) * this.#length;
    if (end > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(end, 1.5 * this.#bytes.length, 1024 * this.#length));
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes.set(row, at * this.#length);
  }

  /** The rows of some numbers, one after the other. */
  take(numbers: readonly number[]): Uint8Array<ArrayBuffer> {
    const taken = new Uint8Array(numbers.length * this.#length);
    for (const [i, at] of numbers.entries())
      taken.set(this.#bytes.subarray(at * this.#length, (at + 1) * this.#length), i * this.#length);
    return taken;
  }
}

/** Keeps all rows in memory and replaces the folder. */
export class FlatWriter implements IndexWriter {
  readonly before: (IndexAbout & { readonly size: number }) | undefined;
  readonly #folder: string;
  readonly #about: Omit<IndexAbout, "width">;
  readonly #pictures: IndexedPicture[] = [];
  readonly #numbers = new Map<string, number>();
  /** How many entries the index had, and the numbers of those, old and new, that it has now. */
  readonly #old: number;
  readonly #current = new Set<number>();
  readonly #scales: number[] = [];
  readonly #codes: Rows;
  #embeddings: Rows | undefined;
  #width = 0;
  #replaced = 0;

  /** @param fresh leaves out what is in the folder; otherwise that is brought up to date */
  static async open(folder: string, about: Omit<IndexAbout, "width">, fresh: boolean): Promise<FlatWriter> {
    return new FlatWriter(folder, about, !fresh && (await exists(folder)) ? await readIndex(folder) : undefined);
  }

  private constructor(folder: string, about: Omit<IndexAbout, "width">, old: PictureIndex | undefined) {
    this.#folder = folder;
    this.#about = about;
    this.#old = old?.pictures.length ?? 0;
    this.before = old && { codebook: old.codebook, model: old.model, width: old.width, size: this.#old };
    this.#codes = new Rows(PACKED_BYTES, this.#old);
    if (!old) return;
    const { width, pictures, codes, embeddings, scales } = old;
    this.#embeddings = this.#rows(width);
    const bytes = new Uint8Array(embeddings.buffer, embeddings.byteOffset, embeddings.length);
    for (const [i, picture] of pictures.entries()) {
      this.#numbers.set(picture.path, i);
      this.#pictures.push(picture);
      this.#scales.push(scales[i] ?? 1);
      this.#codes.set(i, codes.subarray(i * PACKED_BYTES, (i + 1) * PACKED_BYTES));
      this.#embeddings.set(i, bytes.subarray(i * width, (i + 1) * width));
    }
  }

  keep(picture: IndexedPicture): boolean {
    const i = this.#numbers.get(picture.path);
    const own = i === undefined || i >= this.#old ? undefined : this.#pictures[i];
    if (i === undefined || own?.sizeBytes !== picture.sizeBytes || own.changedMs !== picture.changedMs) return false;
    this.#current.add(i);
    return true;
  }

  async add(entries: readonly NewEntry[]): Promise<void> {
    for (const { picture, codes, vector } of entries) {
      const before = this.#numbers.get(picture.path);
      if (before !== undefined && before < this.#old) this.#replaced++;
      if (before !== undefined) this.#current.delete(before);
      const i = this.#pictures.length;
      const { row, scale } = toInt8(vector);
      this.#numbers.set(picture.path, i);
      this.#pictures.push(picture);
      this.#scales.push(scale);
      this.#codes.set(i, packCodes([codes]));
      this.#embeddings ??= this.#rows(vector.length);
      this.#embeddings.set(i, new Uint8Array(row.buffer));
      this.#current.add(i);
    }
  }

  save(): Promise<void> {
    return this.#write([...this.#numbers.values()]);
  }

  async finish(): Promise<IndexChanges> {
    await this.#write([...this.#current]);
    const size = this.#current.size;
    const kept = [...this.#current].filter((i) => i < this.#old).length;
    const replaced = this.#replaced;
    return { size, kept, replaced, added: size - kept - replaced, removed: this.#old - kept - replaced };
  }

  async close(): Promise<void> {}

  #rows(width: number): Rows {
    this.#width = width;
    return new Rows(width, this.#old);
  }

  async #write(numbers: readonly number[]): Promise<void> {
    numbers = [...numbers].sort((a, b) => a - b);
    const index: PictureIndex = {
      ...this.#about,
      width: Math.max(this.#width, 1),
      pictures: numbers.map((i) => this.#pictures[i] as IndexedPicture),
      codes: this.#codes.take(numbers),
      embeddings: new Int8Array(this.#embeddings?.take(numbers).buffer ?? new ArrayBuffer(0)),
      scales: Float32Array.from(numbers, (i) => this.#scales[i] ?? 1),
    };
    await replaceFolder(this.#folder, (folder) => writeIndex(folder, index));
  }
}
