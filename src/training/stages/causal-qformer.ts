/**
 * Stage `causal-qformer` (the paper's stage 1): 32 queries read the frozen tower's tokens, and the last of them is
 * contrasted with the caption. Trains on cached features. arXiv 2307.08041 section 3.1.
 *
 * Ours, each off by default: captions are those of the frozen CLIP pair, with changed ones as hard negatives; the last
 * embedding is near the pair's embedding of the picture; and all 32 together give a draft of the picture's latents.
 */
import { z } from "zod";
import { InputError } from "../../base/errors.ts";
import { constant, input, type Params, type Tensor } from "../../graph/index.ts";
import { type SeedlingConfig, seedConfig } from "../../models/config.ts";
import { imageFeature, TEMPERATURE, textFeature, textHidden } from "../../models/contrastive.ts";
import { draftCells, draftVectors } from "../../models/draft.ts";
import { vitTokens } from "../../models/eva-vit.ts";
import { causalEmbeddings, queriesOf, visionContext } from "../../models/seed-tokenizer.ts";
import { normalize, scalar } from "../../nn/index.ts";
import type { Runtime, Values } from "../../runtime/index.ts";
import type { CaptionTokenizer } from "../../text/index.ts";
import type { FeatureCache } from "../data/feature-cache.ts";
import type { Stage } from "../loop/loop.ts";
import { draftLoss } from "../losses/draft.ts";
import { type LossTerm, termMetrics, weightedSum } from "../losses/terms.ts";
import { textContrast } from "../losses/text-contrast.ts";
import { cachedPictureData } from "../recipe/picture-keys.ts";
import { key, share, trainingKeys, weight } from "../recipe/training-keys.ts";
import { defineStage } from "./definition.ts";
import { type ClipFeature, clipFeatures, withLatents } from "./frozen-features.ts";
import { cachedFeatures, openCaptionedPictures } from "./picture-stage.ts";
import { type PairFeatures, pairFeatures, qformerScores } from "./qformer-scores.ts";
import { firstQueries } from "./qformer-start.ts";
import { CLIP_SIZES, QFORMER_SIZES } from "./sizes.ts";
import { pairTerm } from "./teachable-terms.ts";

const weights = z.strictObject({
  contrast: key(weight.default(1), "of the contrast of the last embedding and the caption"),
  pairs: key(
    weight.default(0),
    "ours: of each caption against its changed one alone; needs `data.hardNegatives`; without it changed captions are not read",
  ),
  pairEmbedding: key(
    weight.default(0),
    "ours: of 1 - cosine of the last embedding's feature and the frozen CLIP pair's embedding of the picture, which must have the same width",
  ),
  draft: key(
    weight.default(0),
    "ours: of the autoencoder's latents, regressed from all 32 embeddings; needs stage vae and `draft` in model.json",
  ),
});

type TermWeights = z.output<typeof weights>;

/** Name prefixes that it trains and a model keeps. The draft's head continues to learn with the codebook, which owns it. */
const OWN = ["ln_vision", "query_tokens", "Qformer", "vision_proj", "temp"] as const;
const POSITIONS = "vision_positions";
/** Only where the Q-Former's text branch embeds captions. */
const TEXT = "text_proj";
const DRAFT = "draft";

export const causalQformer = defineStage({
  name: "causal-qformer",
  about: "32 causal queries on the frozen tower; the last embedding matches the caption.",
  paper: "stage 1 (arXiv 2307.08041, section 3.1)",
  recipe: z.strictObject({
    ...trainingKeys,
    data: cachedPictureData,
    smoothing: key(share.default(0.1), "label smoothing of the contrast; published 0.1"),
    sharpness: key(
      z.number().min(0).max(20).default(0),
      "ours: standard deviation of the cross-attention's scores at the start; 0 leaves the published initialization, with a deviation of nearly 0",
    ),
    regions: key(
      z.boolean().default(false),
      "ours: queries begin at regions of the picture, coarse to fine; needs `sharpness`, and `contextPositions` in model.json",
    ),
    weights: key(weights.prefault({}), "weights of the terms of the loss; published: the contrast alone"),
  }),
  needs: ["clip"],
  sizes: [...CLIP_SIZES, ...QFORMER_SIZES],
  owns: [...OWN, POSITIONS, TEXT],
  async build(c) {
    const opened = await openCaptionedPictures(c);
    const { data, tokenizer, config } = opened;
    const { recipe } = c;
    if (recipe.weights.draft > 0 && !config.draft)
      throw new InputError(`${c.where}: weights.draft: expected draft in model.json, found none. Leave the term out.`);
    const hard = (data.train.hardNegatives ?? false) && config.contrastiveText === "clip";
    if (data.train.hardNegatives && !hard)
      c.onNote?.(
        `hardNegatives: left out, as changed captions are not cached as text; set contrastiveText in model.json`,
      );
    const wanted: ClipFeature[] = ["tokens", "image", "caption", ...(hard ? (["changed"] as const) : [])];
    const clip = await clipFeatures(c, opened, wanted);
    const features = recipe.weights.draft > 0 ? await withLatents(c, opened, clip) : clip;
    const options: QFormerStageOptions = {
      ...{ config, tokenizer, hard: hard && recipe.weights.pairs > 0, runtime: c.runtime },
      ...(await cachedFeatures(c, data, features)),
      pairs: await pairFeatures(data, features),
      smoothing: recipe.smoothing,
      weights: pairTerm(c, recipe.weights, hard),
    };
    const stage = qformerStage(options);
    if (c.start || recipe.sharpness === 0) return { stage };
    return { stage: { ...stage, start: firstQueries(stage, config, recipe, c.where) } };
  },
});

export interface QFormerStageOptions {
  readonly config: SeedlingConfig;
  /** Caches with `tokens`, `image`, `caption`, and `changed` and `latents` for their terms. */
  readonly train: FeatureCache;
  readonly validation: FeatureCache;
  /** The same features of validation pictures with a false caption, by kind of change. */
  readonly pairs: PairFeatures;
  readonly tokenizer: CaptionTokenizer;
  readonly runtime: Runtime;
  readonly smoothing: number;
  readonly weights: TermWeights;
  /** Whether pictures come with changed captions. */
  readonly hard: boolean;
}

function qformerStage(options: QFormerStageOptions): Stage {
  const { config, train, tokenizer, smoothing, weights, hard } = options;
  const seed = seedConfig(config);
  const L = config.textEncoder.maxPositions;
  const [S, F] = [vitTokens(seed.vision), config.contrastiveWidth];
  const ownText = config.contrastiveText !== "clip";
  const drafts = weights.draft > 0;
  const cached = [
    "tokens",
    ...(weights.pairEmbedding > 0 ? ["image"] : []),
    ...(ownText ? [] : ["caption", ...(hard ? ["changed"] : [])]),
    ...(drafts ? ["latents"] : []),
  ];
  /** Unit features of captions [B,F], and of the changed ones. */
  const captions = (p: Params, B: number): { readonly caption: Tensor; readonly changed?: Tensor | undefined } => {
    if (!ownText) return { caption: input("caption", [B, F]), changed: hard ? input("changed", [B, F]) : undefined };
    const hidden = textHidden(p, input("ids", [B, L], "i32"), input("mask", [B, L], "i32"), seed.qformer, 0);
    return { caption: textFeature(p, hidden, seed) };
  };
  return {
    name: "causal-qformer",
    learns: [
      ...OWN,
      ...(config.contextPositions ? [POSITIONS] : []),
      ...(ownText ? [TEXT] : []),
      ...(drafts ? [DRAFT] : []),
    ],
    build(p, B, whole) {
      const tokens = input("tokens", [B, S, seed.vision.width]);
      const y = causalEmbeddings(p, visionContext(p, tokens, seed), seed, drafts ? undefined : queriesOf(config) - 1);
      const image = imageFeature(p, y, seed);
      const temperature = scalar(p, "temp", TEMPERATURE);
      const contrast = textContrast({ image, ...captions(p, B) }, temperature, weights, smoothing, whole);
      const terms: LossTerm[] = [...contrast.terms];
      if (weights.pairEmbedding > 0) {
        const goal = normalize(input("image", [B, config.clipWidth]));
        terms.push(["pairEmbedding", constant(1).sub(image.mul(goal).sum(-1).mean()), weights.pairEmbedding]);
      }
      if (config.draft && drafts) {
        const { channels, size, cell } = config.draft;
        const vectors = draftVectors(p.at(DRAFT), y, config.draft, seed.qformer);
        const cells = draftCells(p.at(DRAFT), vectors, config.draft);
        const latents = input("latents", [B, channels, size, size]);
        terms.push(["draft", draftLoss(cells, latents, cell), weights.draft]);
      }
      return { loss: weightedSum(terms), metrics: { ...contrast.metrics, ...termMetrics(terms) } };
    },
    async batch({ examples }): Promise<Values> {
      const { values, captions } = await train.shuffledBatch(examples, cached);
      if (!ownText) return values;
      const { ids, mask } = tokenizer.encode(captions, L);
      const shape = [examples.length, L];
      return { ...values, ids: { shape, data: ids }, mask: { shape, data: mask } };
    },
    evaluate: (weights) => qformerScores(weights, options),
  };
}
