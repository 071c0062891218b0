/** What every stage trains on: pictures with captions, reached by a number that grows for ever. */
import type { RgbImage } from "../../image/index.ts";

export interface Picture {
  readonly image: RgbImage;
  readonly caption: string;
  /** Where things are, if that is known; later ones are drawn over earlier ones. */
  readonly things?: readonly Thing[];
}

/** A thing and the box that holds it, in pixels; (x, y) is the top left corner. */
export interface Thing {
  readonly name: string;
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}

export interface Pictures {
  /** Says what the pictures are: part of the identity of a run and of cached features. */
  readonly identity: string;
  /** Pictures in a row that belong into one batch; shuffling keeps them together. Default 1. */
  readonly block?: number;
  /** What things can be called, for pictures that know where things are. */
  readonly names?: readonly string[];
  /** Picture number `index`; any index is valid, sources of finite length begin again in another order. */
  get(index: number): Picture | Promise<Picture>;
}

export function take(pictures: Pictures, start: number, count: number): Promise<Picture[]> {
  return Promise.all(Array.from({ length: count }, (_, i) => pictures.get(start + i)));
}
