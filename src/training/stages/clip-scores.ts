/** How well the CLIP pair does on validation pictures. */
import { item } from "../../base/item.ts";
import { captionCosine, minimalPairAccuracy } from "../../evaluation/metrics/minimal-pairs.ts";
import { retrieval, unitRows } from "../../evaluation/metrics/retrieval.ts";
import { input, Params } from "../../graph/index.ts";
import { clipImage, clipText } from "../../models/clip-pair.ts";
import type { SeedlingConfig } from "../../models/config.ts";
import { mapWeights, type Program, type Runtime, type Values } from "../../runtime/index.ts";
import type { CaptionTokenizer } from "../../text/index.ts";
import { atMost, type Picture, type TrainingData, take } from "../data/pictures.ts";
import { normalizedPixels } from "../data/pixels.ts";
import { batches, joined } from "../loop/values.ts";
import type { Weights } from "./definition.ts";

export interface ClipScoreOptions {
  readonly config: SeedlingConfig;
  readonly data: TrainingData;
  readonly validationCount: number;
  readonly tokenizer: CaptionTokenizer;
  readonly runtime: Runtime;
}

/** Minimal pairs of each kind. */
const PAIRS = 100;

/**
 * Retrieval, and minimal pairs by kind of change where the pictures have them. Before there is a tower: how alike captions
 * are whose sides are exchanged.
 */
export async function clipScores(weights: Weights, options: ClipScoreOptions): Promise<Record<string, number>> {
  const { config, data, runtime } = options;
  const L = config.textEncoder.maxPositions;
  const size = config.vision.imageSize;
  const pairs = data.minimalPairs?.(PAIRS) ?? [];
  const text = clipText(new Params(), input("ids", ["B", L], "i32"), input("end", ["B"], "i32"), config).embedding;
  const captions = await runtime.compile({ text }, mapWeights(weights));
  const encodeTexts = (list: readonly string[]): Promise<Float32Array[]> => embedTexts(captions, list, options);
  try {
    const true_ = await encodeTexts(pairs.map(({ picture }) => picture.caption));
    const false_ = await encodeTexts(pairs.map(({ wrong }) => wrong));
    const texts = pairs.map(({ kind }, i) => ({ kind, text: item(true_, i), wrong: item(false_, i) }));
    const { sides } = captionCosine(texts);
    const cosine: Record<string, number> = sides === undefined ? {} : { cosineOfExchangedSides: sides };
    if (![...weights.keys()].some((path) => path.startsWith("visual_encoder."))) return cosine;
    const image = clipImage(new Params(), input("pixels", ["B", 3, size, size]), config);
    const pictures = await runtime.compile({ image }, mapWeights(weights));
    const encodePictures = (list: readonly Picture[]) => embedPictures(pictures, list, options);
    try {
      const validation = await take(data.validation, 0, atMost(data.validation, options.validationCount));
      const names = validation.map(({ caption }) => caption);
      const found = retrieval(await encodePictures(validation), await encodeTexts(names), names);
      const seen = await encodePictures(pairs.map(({ picture }) => picture));
      const right = minimalPairAccuracy(texts.map((pair, i) => ({ ...pair, image: item(seen, i) })));
      return {
        ...{ imageToTextR1: found.imageToText.r1, textToImageR1: found.textToImage.r1, recallMean: found.mean },
        ...Object.fromEntries(Object.entries(right).map(([kind, percent]) => [`pairs/${kind}`, percent])),
        ...cosine,
      };
    } finally {
      await pictures.close();
    }
  } finally {
    await captions.close();
  }
}

async function embedTexts(
  program: Program,
  captions: readonly string[],
  { config, tokenizer }: ClipScoreOptions,
): Promise<Float32Array[]> {
  const L = config.textEncoder.maxPositions;
  const parts: Values[] = [];
  for (const { start, size } of batches(captions.length, 100)) {
    const { ids, end } = tokenizer.encode(captions.slice(start, start + size), L);
    parts.push(await program.run({ ids: { shape: [size, L], data: ids }, end: { shape: [size], data: end } }));
  }
  return unitRows(joined(parts, "text"), config.clipWidth);
}

async function embedPictures(
  program: Program,
  pictures: readonly Picture[],
  { config }: ClipScoreOptions,
): Promise<Float32Array[]> {
  const parts: Values[] = [];
  for (const { start, size } of batches(pictures.length, 100))
    parts.push(await program.run({ pixels: normalizedPixels(pictures.slice(start, start + size), config) }));
  return unitRows(joined(parts, "image"), config.clipWidth);
}
