/**
 * Stage `causal-qformer` (the paper's stage 1): 32 queries read the frozen tower's tokens, and the last of them is
 * contrasted with the caption. Trains on cached tokens. arXiv 2307.08041 section 3.1.
 */
import { z } from "zod";
import { retrieval, unitRows } from "../../evaluation/metrics/retrieval.ts";
import { input, Params } from "../../graph/index.ts";
import { type SeedlingConfig, seedConfig } from "../../models/config.ts";
import { imageFeature, textFeature, textHidden } from "../../models/contrastive.ts";
import { vitTokens } from "../../models/eva-vit.ts";
import { causalEmbeddings, visionContext } from "../../models/seed-tokenizer.ts";
import { mapWeights, type Runtime, type Values } from "../../runtime/index.ts";
import type { CaptionTokenizer } from "../../text/index.ts";
import type { FeatureCache } from "../data/feature-cache.ts";
import type { Stage } from "../loop/loop.ts";
import { batches, joined, namedValue } from "../loop/values.ts";
import { featureReconstructionLoss, RECONSTRUCTION, reconstructTokens } from "../losses/feature-reconstruction.ts";
import { PATCH_LABELS, patchLabelsLoss } from "../losses/patch-labels.ts";
import { stage1Loss } from "../losses/stage1.ts";
import { type LossTerm, termMetrics, weightedSum } from "../losses/terms.ts";
import { WordTargets, wordClassificationLoss } from "../losses/word-classification.ts";
import { cachedPictureData } from "../recipe/picture-keys.ts";
import { key, share, trainingKeys, weight } from "../recipe/training-keys.ts";
import { defineStage } from "./definition.ts";
import { clipFeatures, withPatchLabels } from "./frozen-features.ts";
import { labeledNames } from "./labeled-names.ts";
import { cachedFeatures, openCaptionedPictures } from "./picture-stage.ts";
import { CLIP_SIZES, QFORMER_SIZES } from "./sizes.ts";

const weights = z.strictObject({
  contrast: key(weight.default(1), "of the contrast of the last embedding and the caption"),
  featureReconstruction: key(
    weight.default(0),
    "ours: of rebuilding the frozen tower's tokens from all 32 embeddings; without it the codes of a picture become alike",
  ),
  wordClassification: key(weight.default(0), "ours: of naming the words of the caption, each embedding for itself"),
  patchLabels: key(
    weight.default(0),
    "ours: of naming the object that covers each patch, from the rebuilt tokens; scenes only",
  ),
});

/** Name prefixes that it trains and a model keeps. */
const OWN = ["ln_vision", "query_tokens", "Qformer", "vision_proj", "text_proj", "temp"] as const;
/** Name prefix of the word classes, which no model keeps. */
const WORD_CLASSES = "naming";

export const causalQformer = defineStage({
  name: "causal-qformer",
  about: "32 causal queries on the frozen tower; the last embedding says what the caption says.",
  paper: "stage 1 (arXiv 2307.08041, section 3.1)",
  recipe: z.strictObject({
    ...trainingKeys,
    data: cachedPictureData,
    smoothing: key(share.default(0.1), "label smoothing of the contrast; published 0.1"),
    weights: key(weights.prefault({}), "weights of the terms of the loss; published: the contrast alone"),
  }),
  needs: ["clip"],
  sizes: [...CLIP_SIZES, ...QFORMER_SIZES],
  owns: OWN,
  async build(c) {
    const opened = await openCaptionedPictures(c);
    const { data, tokenizer, config, size } = opened;
    const names = labeledNames(c, data, c.recipe.weights.patchLabels);
    const clip = await clipFeatures(c, opened);
    const labeled = names.length > 0 ? withPatchLabels(clip, names, size / config.vision.patchSize) : clip;
    const caches = await cachedFeatures(c, data, labeled, clip);
    const { smoothing, weights } = c.recipe;
    return {
      stage: qformerStage({
        config,
        ...caches,
        tokenizer,
        runtime: c.runtime,
        smoothing,
        weights,
        names: names.length,
      }),
    };
  },
});

interface QFormerStageOptions {
  readonly config: SeedlingConfig;
  /** Caches with `tokens`, and `patches` for patch labels. */
  readonly train: FeatureCache;
  readonly validation: FeatureCache;
  readonly tokenizer: CaptionTokenizer;
  readonly runtime: Runtime;
  readonly smoothing: number;
  readonly weights: z.output<typeof weights>;
  /** How many names patch labels have; 0 without them. */
  readonly names: number;
}

function qformerStage(options: QFormerStageOptions): Stage {
  const { config, train, tokenizer, smoothing, weights, names } = options;
  const seed = seedConfig(config);
  const L = config.textEncoder.maxPositions;
  const S = vitTokens(seed.vision);
  const labels = names > 0;
  const [reconstructs, classifies] = [weights.featureReconstruction > 0, weights.wordClassification > 0];
  const words = new WordTargets(tokenizer, L, (count) => train.captions(count));
  return {
    name: "causal-qformer",
    learns: [
      ...OWN,
      ...(reconstructs || labels ? [RECONSTRUCTION] : []),
      ...(classifies ? [WORD_CLASSES] : []),
      ...(labels ? [PATCH_LABELS] : []),
    ],
    build(p, B) {
      const tokens = input("tokens", [B, S, seed.vision.width]);
      const textIds = input("ids", [B, L], "i32");
      const textMask = input("mask", [B, L], "i32");
      const all = reconstructs || classifies || labels;
      const { loss: contrast, y } = stage1Loss(p, { tokens, textIds, textMask }, seed, { smoothing, all });
      const terms: LossTerm[] = [["contrast", contrast, weights.contrast]];
      if (reconstructs || labels) {
        const rebuilt = reconstructTokens(p.at(RECONSTRUCTION), y, S, seed.vision.width, seed.qformer);
        if (reconstructs)
          terms.push([
            "featureReconstruction",
            featureReconstructionLoss(rebuilt, tokens),
            weights.featureReconstruction,
          ]);
        if (labels) {
          const named = patchLabelsLoss(p.at(PATCH_LABELS), rebuilt, input("patches", [B, S - 1]), names);
          terms.push(["patchLabels", named, weights.patchLabels]);
        }
      }
      if (classifies) {
        const named = wordClassificationLoss(p.at(WORD_CLASSES), y, input("words", [B, tokenizer.size]));
        terms.push(["wordClassification", named, weights.wordClassification]);
      }
      return { loss: weightedSum(terms), metrics: termMetrics(terms) };
    },
    async batch(micro, count) {
      const { values, captions } = await train.shuffledBatch(micro * count, count, [
        "tokens",
        ...(labels ? ["patches"] : []),
      ]);
      const { ids, mask } = tokenizer.encode(captions, L);
      return {
        ...values,
        ids: { shape: [count, L], data: ids },
        mask: { shape: [count, L], data: mask },
        ...(classifies && { words: await words.shares(ids, count) }),
      };
    },
    evaluate: (weights) => qformerScores(weights, options),
  };
}

/** Retrieval on validation pictures. */
async function qformerScores(
  weights: ReadonlyMap<string, Float32Array>,
  { config, validation, tokenizer, runtime }: QFormerStageOptions,
): Promise<Record<string, number>> {
  const seed = seedConfig(config);
  const L = config.textEncoder.maxPositions;
  const p = new Params();
  const tokens = input("tokens", ["B", vitTokens(seed.vision), seed.vision.width]);
  const y = causalEmbeddings(p, visionContext(p, tokens, seed), seed);
  const hidden = textHidden(p, input("ids", ["B", L], "i32"), input("mask", ["B", L], "i32"), seed.qformer);
  const outputs = { image: imageFeature(p, y, seed), text: textFeature(p, hidden, seed) };
  const program = await runtime.compile(outputs, mapWeights(weights));
  const parts: Values[] = [];
  const captions: string[] = [];
  for (const { start, size: count } of batches(validation.count, 100)) {
    const batch = await validation.range(start, count, ["tokens"]);
    const { ids, mask } = tokenizer.encode(batch.captions, L);
    captions.push(...batch.captions);
    parts.push(
      await program.run({
        tokens: namedValue(batch.values, "tokens"),
        ids: { shape: [count, L], data: ids },
        mask: { shape: [count, L], data: mask },
      }),
    );
  }
  await program.close();
  const rows = (name: string): Float32Array[] => unitRows(joined(parts, name), config.contrastiveWidth);
  const { imageToText, textToImage, mean } = retrieval(rows("image"), rows("text"), captions);
  return { imageToTextR1: imageToText.r1, textToImageR1: textToImage.r1, recallMean: mean };
}
