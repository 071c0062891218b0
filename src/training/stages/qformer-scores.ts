/** How well causal embeddings do on validation pictures: retrieval, minimal pairs, and the error of drafts. */
import { item } from "../../base/item.ts";
import { captionCosine, minimalPairAccuracy } from "../../evaluation/metrics/minimal-pairs.ts";
import { retrieval, unitRows } from "../../evaluation/metrics/retrieval.ts";
import { input, type Outputs, Params } from "../../graph/index.ts";
import { type SeedlingConfig, seedConfig } from "../../models/config.ts";
import { imageFeature, textFeature, textHidden } from "../../models/contrastive.ts";
import { vitTokens } from "../../models/eva-vit.ts";
import { causalEmbeddings, draftLatents, visionContext } from "../../models/seed-tokenizer.ts";
import { mse } from "../../nn/index.ts";
import { mapWeights, type Runtime, type Values } from "../../runtime/index.ts";
import type { CaptionTokenizer } from "../../text/index.ts";
import type { FeatureCache } from "../data/feature-cache.ts";
import type { TrainingData } from "../data/pictures.ts";
import { batches, joined, namedValue, numberOf, pickValues } from "../loop/values.ts";
import type { Weights } from "./definition.ts";
import type { FrozenFeatures } from "./frozen-features.ts";

/** Frozen features of pictures with a false caption, which is their `changed` one. */
export interface PairFeatures {
  readonly kinds: readonly string[];
  /** In batches. */
  readonly parts: readonly Values[];
}

/** Pairs of each kind, and pictures of a batch. */
const [PAIRS, BATCH] = [100, 100];

/** None where the features do not have changed captions. */
export async function pairFeatures(data: TrainingData, { compute }: FrozenFeatures): Promise<PairFeatures> {
  const pairs = data.minimalPairs?.(PAIRS) ?? [];
  const parts: Values[] = [];
  for (const { start, size } of batches(pairs.length, BATCH)) {
    const list = pairs.slice(start, start + size).map(({ picture, wrong }) => ({ ...picture, changed: wrong }));
    const features = await compute(list);
    if (!features["changed"]) return { kinds: [], parts: [] };
    parts.push(features);
  }
  return { kinds: pairs.map(({ kind }) => kind), parts };
}

export interface QFormerScoreOptions {
  readonly config: SeedlingConfig;
  readonly validation: FeatureCache;
  readonly pairs: PairFeatures;
  readonly tokenizer: CaptionTokenizer;
  readonly runtime: Runtime;
}

/** Percent right of pairs whose features of pictures, captions and changed captions are these rows. */
export function pairScores(
  { kinds }: PairFeatures,
  rows: (name: "image" | "caption" | "changed") => readonly Float32Array[],
): Record<string, number> {
  const [image, text, wrong] = [rows("image"), rows("caption"), rows("changed")];
  const pairs = kinds.map((kind, i) => ({ kind, image: item(image, i), text: item(text, i), wrong: item(wrong, i) }));
  const right = minimalPairAccuracy(pairs);
  const { sides } = captionCosine(pairs);
  return {
    ...Object.fromEntries(Object.entries(right).map(([kind, percent]) => [`pairs/${kind}`, percent])),
    ...(sides !== undefined && { cosineOfExchangedSides: sides }),
  };
}

export async function qformerScores(weights: Weights, options: QFormerScoreOptions): Promise<Record<string, number>> {
  const { config, validation, pairs, tokenizer, runtime } = options;
  const seed = seedConfig(config);
  const [L, F] = [config.textEncoder.maxPositions, config.contrastiveWidth];
  const ownText = config.contrastiveText !== "clip";
  const p = new Params();
  const tokens = input("tokens", ["B", vitTokens(seed.vision), seed.vision.width]);
  const y = causalEmbeddings(p, visionContext(p, tokens, seed), seed);
  const drafts = weights.has("draft.queries") && config.draft;
  const outputs: Outputs = {
    image: imageFeature(p, y, seed),
    ...(ownText && {
      caption: textFeature(
        p,
        textHidden(p, input("ids", ["B", L], "i32"), input("mask", ["B", L], "i32"), seed.qformer, 0),
        seed,
      ),
    }),
    ...(drafts && {
      draftError: mse(draftLatents(p, y, seed), input("latents", ["B", drafts.channels, drafts.size, drafts.size])),
    }),
  };
  const program = await runtime.compile(outputs, mapWeights(weights));
  const cached = ["tokens", ...(ownText ? [] : ["caption"]), ...(drafts ? ["latents"] : [])];
  const inputs = ["tokens", ...(drafts ? ["latents"] : [])];
  try {
    const parts: Values[] = [];
    const captions: string[] = [];
    for (const { start, size } of batches(validation.count, BATCH)) {
      const batch = await validation.range(start, size, cached);
      const { ids, mask } = tokenizer.encode(batch.captions, L);
      captions.push(...batch.captions);
      const text = { ids: { shape: [size, L], data: ids }, mask: { shape: [size, L], data: mask } };
      const out = await program.run({ ...pickValues(batch.values, inputs), ...(ownText && text) });
      parts.push({ ...pickValues(batch.values, ownText ? [] : ["caption"]), ...out });
    }
    const rows = (name: string): Float32Array[] => unitRows(joined(parts, name), F);
    const { imageToText, textToImage, mean } = retrieval(rows("image"), rows("caption"), captions);
    const found = { imageToTextR1: imageToText.r1, textToImageR1: textToImage.r1, recallMean: mean };
    const draftError: Record<string, number> = drafts
      ? { draftError: meanOf(parts.map((values) => numberOf(values, "draftError"))) }
      : {};
    if (ownText || pairs.kinds.length === 0) return { ...found, ...draftError };
    const seen: Values[] = [];
    for (const features of pairs.parts)
      seen.push({ ...features, image: namedValue(await program.run(pickValues(features, inputs)), "image") });
    return { ...found, ...pairScores(pairs, (name) => unitRows(joined(seen, name), F)), ...draftError };
  } finally {
    await program.close();
  }
}

function meanOf(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}
