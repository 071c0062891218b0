/**
 * Stage `clip`: a vision tower and a text encoder by contrast over the batch. Both are frozen afterwards: the tower
 * stands for BLIP-2's ViT, the text encoder for the one of the diffusion model. Radford et al. 2021.
 */
import { retrieval, unitRows } from "../../evaluation/metrics/retrieval.ts";
import { input, Params, type Tensor } from "../../graph/index.ts";
import { toTensor } from "../../image/index.ts";
import { clipLoss, logitScale, pooledImageEmbedding } from "../../models/clip.ts";
import { clipImage, clipText } from "../../models/clip-pair.ts";
import type { SeedlingConfig } from "../../models/config.ts";
import { evaVit, type VitConfig } from "../../models/eva-vit.ts";
import { mapWeights, type Runtime, type Value, type Values } from "../../runtime/index.ts";
import type { CaptionTokenizer } from "../../text/index.ts";
import { type Picture, type Pictures, take } from "../data/pictures.ts";
import type { Stage } from "../loop/loop.ts";
import { placeLabels, placesLoss } from "../losses/patch-labels.ts";
import { CaptionWords, captionWordsLoss } from "../losses/word-classification.ts";

export const CLIP_PREFIXES = ["visual_encoder", "clip", "text_model"] as const;

export function pixelFeed(pictures: readonly Picture[], config: SeedlingConfig): Value {
  const { mean, std } = config.pixels;
  const stats = { mean: mean as [number, number, number], std: std as [number, number, number] };
  const size = config.vision.imageSize;
  return {
    shape: [pictures.length, 3, size, size],
    data: toTensor(
      pictures.map((p) => p.image),
      stats,
    ),
  };
}

export interface ClipStageOptions {
  readonly config: SeedlingConfig;
  readonly train: Pictures;
  readonly validation: Pictures;
  readonly tokenizer: CaptionTokenizer;
  readonly runtime: Runtime;
  readonly validationCount: number;
  /** Weight of naming the caption's words; 0 for contrast alone. */
  readonly words: number;
  /** Weight of naming the thing at each place; 0 for pictures that do not know where things are. */
  readonly places: number;
}

export function clipStage(options: ClipStageOptions): Stage {
  const { config, train, tokenizer, words, places } = options;
  const L = config.textEncoder.maxPositions;
  const size = config.vision.imageSize;
  const V = tokenizer.size;
  const grid = size / config.vision.patchSize;
  const names = train.names ?? [];
  const named = new CaptionWords(tokenizer, L, async (count) => (await take(train, 0, count)).map((p) => p.caption));
  return {
    name: "clip",
    learns: CLIP_PREFIXES,
    build(p, B) {
      const tokens = evaVit(p.at("visual_encoder"), input("pixels", [B, 3, size, size]), config.vision as VitConfig);
      const image = pooledImageEmbedding(p.at("clip"), tokens, config.clipWidth);
      const text = clipText(p, input("ids", [B, L], "i32"), input("end", [B], "i32"), config);
      const scale = logitScale(p.at("clip"));
      const contrast = clipLoss(image, text.embedding, scale);
      const terms: LossTerm[] = [["contrastLoss", contrast, 1]];
      if (words > 0) terms.push(["wordsLoss", captionWordsLoss(p.at("clip"), tokens, input("words", [B, V])), words]);
      if (places > 0) {
        const labels = input("places", [B, grid ** 2]);
        terms.push(["placesLoss", placesLoss(p.at("clip", "places"), tokens, labels, names.length), places]);
      }
      return { loss: weightedSum(terms), metrics: { logitScale: scale, ...termMetrics(terms) } };
    },
    async batch(micro, count) {
      const pictures = await take(train, micro * count, count);
      const { ids, end } = tokenizer.encode(
        pictures.map((p) => p.caption),
        L,
      );
      return {
        pixels: pixelFeed(pictures, config),
        ids: { shape: [count, L], data: ids },
        end: { shape: [count], data: end },
        ...(words > 0 ? { words: await named.shares(ids, count) } : {}),
        ...(places > 0 ? { places: placeLabels(pictures, names, grid) } : {}),
      };
    },
    evaluate: (weights) => clipScores(weights, options),
  };
}

/** Name, value and weight of one part of a loss. */
export type LossTerm = readonly [name: string, value: Tensor, weight: number];

export function weightedSum(terms: readonly LossTerm[]): Tensor {
  return terms.map(([, value, weight]) => value.mul(weight)).reduce((a, b) => a.add(b));
}

/** The parts before they are weighed, to be logged; none where there is but one. */
export function termMetrics(terms: readonly LossTerm[]): Record<string, Tensor> {
  return terms.length > 1 ? Object.fromEntries(terms.map(([name, value]) => [name, value])) : {};
}

/** Retrieval on validation pictures. */
async function clipScores(
  weights: ReadonlyMap<string, Float32Array>,
  options: ClipStageOptions,
): Promise<Record<string, number>> {
  const { config, validation, tokenizer, runtime, validationCount } = options;
  const L = config.textEncoder.maxPositions;
  const size = config.vision.imageSize;
  const p = new Params();
  const outputs = {
    image: clipImage(p, input("pixels", ["B", 3, size, size]), config),
    text: clipText(p, input("ids", ["B", L], "i32"), input("end", ["B"], "i32"), config).embedding,
  };
  const program = await runtime.compile(outputs, mapWeights(weights));
  const parts: Values[] = [];
  const captions: string[] = [];
  const step = 100;
  for (let at = 0; at < validationCount; at += step) {
    const pictures = await take(validation, at, Math.min(step, validationCount - at));
    captions.push(...pictures.map((p) => p.caption));
    const { ids, end } = tokenizer.encode(
      pictures.map((p) => p.caption),
      L,
    );
    const feeds = {
      pixels: pixelFeed(pictures, config),
      ids: { shape: [pictures.length, L], data: ids },
      end: { shape: [pictures.length], data: end },
    };
    parts.push(await program.run(feeds));
  }
  await program.close();
  const rows = (name: string): Float32Array[] => unitRows(joinRows(parts.map((v) => v[name]!)), config.clipWidth);
  const { imageToText, textToImage, mean } = retrieval(rows("image"), rows("text"), captions);
  return { imageToTextR1: imageToText.r1, textToImageR1: textToImage.r1, recallMean: mean };
}

/** The f32 data of several values, one after the other. */
export function joinRows(values: readonly Value[]): Float32Array {
  const out = new Float32Array(values.reduce((sum, v) => sum + v.data.length, 0));
  let at = 0;
  for (const { data } of values) {
    out.set(data, at);
    at += data.length;
  }
  return out;
}
