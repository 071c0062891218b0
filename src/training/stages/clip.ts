/**
 * Stage `clip`: a vision tower and a text encoder learn by contrast over the batch. Both are frozen afterwards: the tower
 * stands for BLIP-2's ViT, the text encoder for that of the diffusion model. Radford et al. 2021.
 */
import { z } from "zod";
import { retrieval, unitRows } from "../../evaluation/metrics/retrieval.ts";
import { input, Params } from "../../graph/index.ts";
import { clipLoss, logitScale, pooledImageEmbedding } from "../../models/clip.ts";
import { clipImage, clipText } from "../../models/clip-pair.ts";
import type { SeedlingConfig } from "../../models/config.ts";
import { evaVit, type VitConfig } from "../../models/eva-vit.ts";
import { mapWeights, type Runtime, type Values } from "../../runtime/index.ts";
import type { CaptionTokenizer } from "../../text/index.ts";
import { atMost, type Picture, type Pictures, take } from "../data/pictures.ts";
import { normalizedPixels } from "../data/pixels.ts";
import type { Stage } from "../loop/loop.ts";
import { batches, joined } from "../loop/values.ts";
import { patchLabels, patchLabelsLoss } from "../losses/patch-labels.ts";
import { type LossTerm, termMetrics, weightedSum } from "../losses/terms.ts";
import { WordTargets, wordClassificationLoss } from "../losses/word-classification.ts";
import { pictureData } from "../recipe/picture-keys.ts";
import { key, trainingKeys, weight } from "../recipe/training-keys.ts";
import { defineStage } from "./definition.ts";
import { labeledNames } from "./labeled-names.ts";
import { openCaptionedPictures } from "./picture-stage.ts";

const weights = z.strictObject({
  contrast: key(weight.default(1), "of the contrast of pictures and captions"),
  wordClassification: key(weight.default(0), "ours: of naming the words of the caption"),
  patchLabels: key(weight.default(0), "ours: of naming the object that covers each patch; scenes only"),
});

export const clip = defineStage({
  name: "clip",
  about: "A vision tower and a text encoder, by contrast of pictures and captions; then frozen.",
  paper: "stands for BLIP-2's ViT and the diffusion model's text encoder (arXiv 2307.08041, section 3)",
  recipe: z.strictObject({
    ...trainingKeys,
    data: pictureData,
    weights: key(weights.prefault({}), "weights of the terms of the loss"),
  }),
  needs: [],
  owns: ["visual_encoder", "clip", "text_model"],
  async build(c) {
    const { data, tokenizer, config } = await openCaptionedPictures(c, !c.start);
    const names = labeledNames(c, data, c.recipe.weights.patchLabels);
    const stage = clipStage({
      config,
      train: data.train,
      validation: data.validation,
      validationCount: atMost(data.validation, c.recipe.data.validation),
      tokenizer,
      runtime: c.runtime,
      weights: c.recipe.weights,
      names,
    });
    return { stage };
  },
});

interface ClipStageOptions {
  readonly config: SeedlingConfig;
  readonly train: Pictures;
  readonly validation: Pictures;
  readonly validationCount: number;
  readonly tokenizer: CaptionTokenizer;
  readonly runtime: Runtime;
  readonly weights: z.output<typeof weights>;
  /** Names of objects for patch labels; none for pictures that do not come with boxes. */
  readonly names: readonly string[];
}

function clipStage(options: ClipStageOptions): Stage {
  const { config, train, tokenizer, weights, names } = options;
  const L = config.textEncoder.maxPositions;
  const size = config.vision.imageSize;
  const grid = size / config.vision.patchSize;
  const words = new WordTargets(tokenizer, L, async (count) =>
    (await take(train, 0, count)).map(({ caption }) => caption),
  );
  return {
    name: "clip",
    learns: ["visual_encoder", "clip", "text_model"],
    build(p, B) {
      const tokens = evaVit(p.at("visual_encoder"), input("pixels", [B, 3, size, size]), config.vision as VitConfig);
      const image = pooledImageEmbedding(p.at("clip"), tokens, config.clipWidth);
      const text = clipText(p, input("ids", [B, L], "i32"), input("end", [B], "i32"), config);
      const scale = logitScale(p.at("clip"));
      const terms: LossTerm[] = [["contrast", clipLoss(image, text.embedding, scale), weights.contrast]];
      if (weights.wordClassification > 0) {
        const shares = input("words", [B, tokenizer.size]);
        terms.push([
          "wordClassification",
          wordClassificationLoss(p.at("clip"), tokens, shares),
          weights.wordClassification,
        ]);
      }
      if (names.length > 0) {
        const labels = input("patches", [B, grid ** 2]);
        const named = patchLabelsLoss(p.at("clip", "places"), tokens, labels, names.length);
        terms.push(["patchLabels", named, weights.patchLabels]);
      }
      return { loss: weightedSum(terms), metrics: { logitScale: scale, ...termMetrics(terms) } };
    },
    async batch(micro, count) {
      const pictures = await take(train, micro * count, count);
      const feeds = clipFeeds(pictures, options);
      return {
        ...feeds,
        ...(weights.wordClassification > 0 && { words: await words.shares(feeds.ids.data, count) }),
        ...(names.length > 0 && { patches: patchLabels(pictures, names, grid) }),
      };
    },
    evaluate: (weights) => clipScores(weights, options),
  };
}

function clipFeeds(pictures: readonly Picture[], { config, tokenizer }: ClipStageOptions) {
  const L = config.textEncoder.maxPositions;
  const captions = pictures.map(({ caption }) => caption);
  const { ids, end } = tokenizer.encode(captions, L);
  return {
    pixels: normalizedPixels(pictures, config),
    ids: { shape: [pictures.length, L], data: ids },
    end: { shape: [pictures.length], data: end },
  };
}

/** Retrieval on validation pictures. */
async function clipScores(
  weights: ReadonlyMap<string, Float32Array>,
  options: ClipStageOptions,
): Promise<Record<string, number>> {
  const { config, validation, runtime, validationCount } = options;
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
  for (const { start, size } of batches(validationCount, 100)) {
    const pictures = await take(validation, start, size);
    captions.push(...pictures.map(({ caption }) => caption));
    parts.push(await program.run(clipFeeds(pictures, options)));
  }
  await program.close();
  const rows = (name: "image" | "text"): Float32Array[] => unitRows(joined(parts, name), config.clipWidth);
  const { imageToText, textToImage, mean } = retrieval(rows("image"), rows("text"), captions);
  return { imageToTextR1: imageToText.r1, textToImageR1: textToImage.r1, recallMean: mean };
}
