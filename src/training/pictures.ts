/** What every stage trains on: pictures with captions, reached by a number that grows for ever. */
import type { RgbImage } from "../image/index.ts";

export interface Picture {
  readonly image: RgbImage;
  readonly caption: string;
}

export interface Pictures {
  /** Says what the pictures are: part of the identity of a run and of cached features. */
  readonly identity: string;
  /** Pictures in a row that belong into one batch; shuffling keeps them together. Default 1. */
  readonly block?: number;
  /** Picture number `index`; any index is valid, sources of finite length begin again in another order. */
  get(index: number): Picture | Promise<Picture>;
}

export function take(pictures: Pictures, start: number, count: number): Promise<Picture[]> {
  return Promise.all(Array.from({ length: count }, (_, i) => pictures.get(start + i)));
}
