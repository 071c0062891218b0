/** An index of pictures as those see it who search or update it, wherever its rows are kept. */
import type { Codes } from "../codes/index.ts";
import type { IndexedPicture, PictureIndex } from "./picture-index.ts";

/** Which model an index was made with. */
export interface IndexAbout {
  /** Hash of the codebook of the model. */
  readonly codebook: string;
  /** Name or folder of the model, for messages. */
  readonly model: string;
  /** Numbers of an embedding. */
  readonly width: number;
}

/** Which pictures may be found. */
export interface Filter {
  /** Glob that the path has to match. */
  readonly path?: string;
  /** Modification times, ms: from `since` on, before `until`. */
  readonly since?: number;
  readonly until?: number;
}

export interface FoundPicture extends IndexedPicture {
  /** Identifies the picture within the index, until that is updated. */
  readonly id: number;
  /** Cosine of query and picture, at most 1. */
  readonly score: number;
  readonly codes: Codes;
}

/** An index that is open. */
export interface SearchIndex extends IndexAbout {
  /** Number of pictures. */
  readonly size: number;
  /**
   * The `count` pictures nearest to a query, best first.
   * @param query f32 [width], a unit vector
   */
  nearest(query: Float32Array, count: number, filter?: Filter): Promise<FoundPicture[]>;
  /** Path of a picture; undefined if there is none of that id. */
  pathOf(id: number): Promise<string | undefined>;
  /** All of it in memory. */
  load(): Promise<PictureIndex>;
  close(): Promise<void>;
}

/** A picture and what was computed from it. */
export interface NewEntry {
  readonly picture: IndexedPicture;
  readonly codes: Codes;
  /** f32 [width], a unit vector. */
  readonly vector: Float32Array;
}

/** Makes an index, or brings one up to date: pictures are kept or added, and those that are neither are left out. */
export interface IndexWriter {
  /** What the index was made with, if there was one. */
  readonly before: (IndexAbout & { readonly size: number }) | undefined;
  /** Keeps the entry of a picture if its size and time are those of the index. @returns whether there is one */
  keep(picture: IndexedPicture): boolean;
  add(entries: readonly NewEntry[]): Promise<void>;
  /** Writes what was added to disk, before the end: entries that were neither kept nor replaced stay. */
  save(): Promise<void>;
  /** Writes the whole index to disk. @returns what became of the pictures */
  finish(): Promise<IndexChanges>;
  close(): Promise<void>;
}

export interface IndexChanges {
  readonly size: number;
  readonly added: number;
  /** Computed again, as they had changed. */
  readonly replaced: number;
  readonly kept: number;
  /** No longer among the pictures. */
  readonly removed: number;
}

/** int8 rows can be a little longer than 1. */
export const roundedScore = (score: number): number => Math.round(Math.min(score, 1) * 1e4) / 1e4;
