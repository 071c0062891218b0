/** Pictures with captions, indexed by an unbounded counter. */
import type { Background } from "../../data/draw.ts";
import type { RgbImage } from "../../image/index.ts";

export interface Picture {
  readonly image: RgbImage;
  readonly caption: string;
  /** Where its objects are, if that is known; later ones are drawn over earlier ones. */
  readonly objects?: readonly BoxedObject[];
  /** The colors behind them, if they are known. */
  readonly background?: Background;
  /** The caption with one change that makes it false of the picture, where the recipe asks for it. */
  readonly changed?: string;
}

/** An object and its bounding box, in pixels; (x, y) is the top left corner. */
export interface BoxedObject {
  readonly name: string;
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}

export interface Pictures {
  /** Names the pictures: part of the identity of a run and of cached features. */
  readonly identity: string;
  /** How many different pictures there are; absent for an unbounded source. */
  readonly count?: number;
  /** Consecutive pictures that belong in one batch; shuffling keeps them together. Default 1. */
  readonly block?: number;
  /** Names of all objects, for pictures whose objects' positions are known. */
  readonly names?: readonly string[];
  /** Whether pictures come with a changed caption. */
  readonly hardNegatives?: boolean;
  /** Picture number `index`; any index is valid, a finite source begins again in another order. */
  get(index: number): Picture | Promise<Picture>;
  /** The caption of that picture, where it takes less than the picture. */
  caption?(index: number): string | Promise<string>;
}

/** What a stage of pictures trains on and is measured by. */
export interface TrainingData {
  readonly train: Pictures;
  readonly validation: Pictures;
  /** Texts whose words make the vocabulary. */
  readonly words: () => Iterable<string>;
  /** Validation pictures with their caption and a false one, by kind of change; absent where there are none. */
  readonly minimalPairs?: (perKind: number) => readonly CaptionPair[];
}

/** A picture and a caption that differs from its own by one change, which makes it false. */
export interface CaptionPair {
  readonly kind: string;
  readonly picture: Picture;
  readonly wrong: string;
}

/** `wanted` pictures, or as many as there are. */
export function atMost(pictures: Pictures, wanted: number): number {
  return Math.min(wanted, pictures.count ?? wanted);
}

/** Pictures by number. */
export function takeThose(pictures: Pictures, indices: readonly number[]): Promise<Picture[]> {
  return Promise.all(indices.map((index) => pictures.get(index)));
}

export function take(pictures: Pictures, start: number, count: number): Promise<Picture[]> {
  return Promise.all(Array.from({ length: count }, (_, i) => pictures.get(start + i)));
}

/** The captions of those pictures. */
export async function takeCaptions(pictures: Pictures, start: number, count: number): Promise<string[]> {
  const caption = async (index: number): Promise<string> =>
    pictures.caption ? pictures.caption(index) : (await pictures.get(index)).caption;
  return Promise.all(Array.from({ length: count }, (_, i) => caption(start + i)));
}
