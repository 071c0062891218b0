/**
 * Stage `causal-qformer` (the paper's stage 1): 32 queries read the frozen tower's tokens, the last of them is
 * contrasted with the caption. Trains on cached tokens. arXiv 2307.08041 section 3.1.
 */
import { retrieval, unitRows } from "../../evaluation/metrics/retrieval.ts";
import { input, Params } from "../../graph/index.ts";
import { type SeedlingConfig, seedConfig } from "../../models/config.ts";
import { imageFeature, textFeature, textHidden } from "../../models/contrastive.ts";
import { vitTokens } from "../../models/eva-vit.ts";
import { causalEmbeddings, visionNorm } from "../../models/seed-tokenizer.ts";
import { mapWeights, type Runtime, type Values } from "../../runtime/index.ts";
import type { CaptionTokenizer } from "../../text/index.ts";
import type { FeatureCache } from "../data/feature-cache.ts";
import type { Stage } from "../loop/loop.ts";
import { RECOVER, recoverLoss, recoverTokens } from "../losses/feature-reconstruction.ts";
import { placesLoss } from "../losses/patch-labels.ts";
import { stage1Loss } from "../losses/stage1.ts";
import { CaptionWords, captionWordsLoss } from "../losses/word-classification.ts";
import { joinRows, type LossTerm, termMetrics, weightedSum } from "./clip.ts";

export const QFORMER_PREFIXES = ["ln_vision", "query_tokens", "Qformer", "vision_proj", "text_proj", "temp"] as const;

export interface QFormerStageOptions {
  readonly config: SeedlingConfig;
  /** Caches with `tokens`. */
  readonly train: FeatureCache;
  readonly validation: FeatureCache;
  readonly tokenizer: CaptionTokenizer;
  readonly runtime: Runtime;
  /** Label smoothing; published 0.1. */
  readonly smoothing: number;
  /** Weight of recovering the tower's tokens from all 32 embeddings; 0 as published. */
  readonly recover: number;
  /** Weight of naming the caption's words, each embedding for itself; 0 as published. */
  readonly words: number;
  /** Weight of naming the thing at each place from the recovered tokens, and how many names there are; 0 as published. */
  readonly places: number;
  readonly things: number;
}

/** Name prefixes of the words' classes and of the things': only trained with, as `recover`. */
const NAMING = "naming";
export const PLACES = "places";

export function qformerStage(options: QFormerStageOptions): Stage {
  const { config, train, tokenizer, smoothing, recover, words, places, things } = options;
  const seed = seedConfig(config);
  const L = config.textEncoder.maxPositions;
  const S = vitTokens(seed.vision);
  const named = new CaptionWords(
    tokenizer,
    L,
    async (count) => (await train.batch(firstOf(train, count), [])).captions,
  );
  return {
    name: "causal-qformer",
    learns: [
      ...QFORMER_PREFIXES,
      ...(recover > 0 || places > 0 ? [RECOVER] : []),
      ...(words > 0 ? [NAMING] : []),
      ...(places > 0 ? [PLACES] : []),
    ],
    build(p, B) {
      const tokens = input("tokens", [B, S, seed.vision.width]);
      const textIds = input("ids", [B, L], "i32");
      const textMask = input("mask", [B, L], "i32");
      const all = recover > 0 || words > 0 || places > 0;
      const { loss: contrastLoss, y } = stage1Loss(p, { tokens, textIds, textMask }, seed, { smoothing, all });
      const terms: LossTerm[] = [["contrastLoss", contrastLoss, 1]];
      if (recover > 0 || places > 0) {
        const rebuilt = recoverTokens(p.at(RECOVER), y, S, seed.vision.width, seed.qformer);
        if (recover > 0) terms.push(["recoverLoss", recoverLoss(rebuilt, tokens), recover]);
        if (places > 0) {
          const labels = input("places", [B, S - 1]);
          terms.push(["placesLoss", placesLoss(p.at(PLACES), rebuilt, labels, things), places]);
        }
      }
      if (words > 0)
        terms.push(["wordsLoss", captionWordsLoss(p.at(NAMING), y, input("words", [B, tokenizer.size])), words]);
      return { loss: weightedSum(terms), metrics: termMetrics(terms) };
    },
    async batch(micro, count) {
      const names = ["tokens", ...(places > 0 ? ["places"] : [])];
      const { values, captions } = await train.shuffledBatch(micro * count, count, names);
      const { ids, mask } = tokenizer.encode(captions, L);
      return {
        ...values,
        ids: { shape: [count, L], data: ids },
        mask: { shape: [count, L], data: mask },
        ...(words > 0 ? { words: await named.shares(ids, count) } : {}),
      };
    },
    evaluate: (weights) => qformerScores(weights, options),
  };
}

/** Which examples are the first ones of a cache, at most so many. */
export function firstOf({ count }: FeatureCache, most: number): number[] {
  return Array.from({ length: Math.min(count, most) }, (_, i) => i);
}

async function qformerScores(
  weights: ReadonlyMap<string, Float32Array>,
  { config, validation, tokenizer, runtime }: QFormerStageOptions,
): Promise<Record<string, number>> {
  const seed = seedConfig(config);
  const L = config.textEncoder.maxPositions;
  const p = new Params();
  const tokens = input("tokens", ["B", vitTokens(seed.vision), seed.vision.width]);
  const y = causalEmbeddings(p, visionNorm(p, tokens), seed);
  const hidden = textHidden(p, input("ids", ["B", L], "i32"), input("mask", ["B", L], "i32"), seed.qformer);
  const outputs = { image: imageFeature(p, y, seed), text: textFeature(p, hidden, seed) };
  const program = await runtime.compile(outputs, mapWeights(weights));
  const parts: Values[] = [];
  const captions: string[] = [];
  for (let at = 0; at < validation.count; at += 100) {
    const count = Math.min(100, validation.count - at);
    const batch = await validation.batch(
      Array.from({ length: count }, (_, i) => at + i),
      ["tokens"],
    );
    const { ids, mask } = tokenizer.encode(batch.captions, L);
    captions.push(...batch.captions);
    parts.push(
      await program.run({
        tokens: batch.values.tokens!,
        ids: { shape: [count, L], data: ids },
        mask: { shape: [count, L], data: mask },
      }),
    );
  }
  await program.close();
  const rows = (name: string): Float32Array[] =>
    unitRows(joinRows(parts.map((v) => v[name]!)), config.contrastiveWidth);
  const { imageToText, textToImage, mean } = retrieval(rows("image"), rows("text"), captions);
  return { imageToTextR1: imageToText.r1, textToImageR1: textToImage.r1, recallMean: mean };
}
