/** What the protocol needs of a model. Parts that a model lacks are undefined, with the reason next to them. */
import type { Codes } from "../../codes/index.ts";
import type { RgbImage } from "../../image/index.ts";

export interface SeenPicture {
  readonly codes?: Codes;
  /** Unit vector in the space of captions. */
  readonly embedding?: Float32Array;
}

export interface AskedCodes {
  readonly codes: Codes;
  readonly question: string;
}

/** A part of a model. `id` names its weights and settings: results are remembered by it. */
export interface Part<Run> {
  readonly id: string;
  readonly run: Run;
}

export interface PaperModel {
  /** The bytes of picture files -> codes and embeddings, as far as the model has them. @throws InputError for a broken one */
  readonly see: Part<(pictures: readonly Uint8Array[]) => Promise<readonly SeenPicture[]>>;
  /** Captions, cleaned -> unit vectors. */
  readonly embedTexts?: Part<(captions: readonly string[]) => Promise<readonly Float32Array[]>>;
  /** Codes -> unit vectors in the same space. */
  readonly embedCodes?: Part<(codes: readonly Codes[]) => Promise<readonly Float32Array[]>>;
  readonly describe?: Part<(codes: readonly Codes[]) => Promise<readonly string[]>>;
  readonly answer?: Part<(asked: readonly AskedCodes[]) => Promise<readonly string[]>>;
  /** Codes, or captions by the same decoder, and a seed each -> pictures. */
  readonly decode?: Part<(codes: readonly Codes[], seeds: readonly number[]) => Promise<readonly RgbImage[]>>;
  readonly decodeTexts?: Part<(captions: readonly string[], seeds: readonly number[]) => Promise<readonly RgbImage[]>>;
  /** Pictures -> image embeddings of the network that compares them. */
  readonly judge?: Part<(pictures: readonly (RgbImage | Uint8Array)[]) => Promise<readonly Float32Array[]>>;
  /** Why a part is missing. */
  readonly lacks: Readonly<Partial<Record<PartName, string>>>;
}

export type PartName = Exclude<keyof PaperModel, "see" | "lacks">;
