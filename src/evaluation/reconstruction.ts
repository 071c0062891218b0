/** Similarity of pictures and what is decoded of them, by the frozen CLIP pair. arXiv 2307.08041 Table 2. */
import { item } from "../base/item.ts";
import type { Scene } from "../data/index.ts";
import type { RgbImage } from "../image/index.ts";
import type { SeedTokenizer } from "../image-tokenizer/seed-tokenizer.ts";
import type { DecodedScenes } from "./decoded-scenes.ts";
import { nearestByPixels } from "./metrics/pixel-neighbors.ts";
import { cosine } from "./metrics/retrieval.ts";
import { imageOf } from "./scores.ts";

export interface ReconstructionScores {
  readonly pictures: number;
  /** Mean cosine of clip embeddings between the original and what is decoded from: */
  readonly fromCodes: number;
  readonly fromCaption: number;
  /** ... the codes of another picture. */
  readonly fromShuffledCodes: number;
  /** ... the first n codes. */
  readonly fromFirst: Readonly<Record<number, number>>;
  /** ... nothing: the nearest training picture by pixels, as it is. */
  readonly nearestPixels: number;
}

export interface ReconstructionOptions {
  /** The first n codes are decoded too, for each of these. */
  readonly keep: readonly number[];
  /** Training pictures, for the baseline. */
  readonly gallery: readonly Scene[];
  /** Whose CLIP pair compares. Default the model's own; an untrained model cannot judge itself. */
  readonly judge?: Pick<SeedTokenizer, "clipImage">;
}

export async function reconstructionScores(
  decoded: DecodedScenes,
  { keep, gallery, judge = decoded.tokenizer }: ReconstructionOptions,
): Promise<ReconstructionScores> {
  const images = decoded.originals;
  const originals = await judge.clipImage(images, { batch: 64 });
  const similarity = async (pictures: readonly RgbImage[], shift = 0): Promise<number> => {
    const seen = await judge.clipImage(pictures, { batch: 64 });
    const n = originals.length;
    return seen.reduce((sum, vector, i) => sum + cosine(vector, item(originals, (i + shift) % n)), 0) / n;
  };
  const fromAll = await decoded.fromCodes();
  const fromFirst: Record<number, number> = {};
  for (const n of keep) fromFirst[n] = await similarity(await decoded.fromCodes(n));
  const known = gallery.map(imageOf);
  return {
    pictures: images.length,
    fromCodes: await similarity(fromAll),
    fromCaption: await similarity(await decoded.fromCaptions()),
    fromShuffledCodes: await similarity(fromAll, 1),
    fromFirst,
    nearestPixels: await similarity(nearestByPixels(images, known).map((i) => item(known, i))),
  };
}
