/**
 * Stage `clip`: a vision tower and a text encoder learn by contrast over the batch. Both are frozen afterwards: the tower
 * stands for BLIP-2's ViT, the text encoder for that of the diffusion model. Radford et al. 2021.
 *
 * Every term but the contrast is ours and off by default. Together they make order and position count: the text encoder can
 * begin alone (phases without a weight for contrast do not build the tower), hard negatives preserve what it learned, and
 * the tower preserves appearance.
 */
import { z } from "zod";
import { InputError } from "../../base/errors.ts";
import { constant, input, type Params, stopGradient, type Tensor } from "../../graph/index.ts";
import { pixelsToLatents } from "../../image-decoder/training-graphs.ts";
import { logitScale } from "../../models/clip.ts";
import { clipImageOfTokens, clipText } from "../../models/clip-pair.ts";
import type { SeedlingConfig } from "../../models/config.ts";
import { draftShape } from "../../models/draft.ts";
import { evaVit, type VitConfig } from "../../models/eva-vit.ts";
import type { VaeConfig } from "../../models/vae.ts";
import { normalize } from "../../nn/index.ts";
import { mapWeights, type Values } from "../../runtime/index.ts";
import { captionLocations } from "../data/located-phrases.ts";
import { takeCaptions, takeThose } from "../data/pictures.ts";
import { normalizedPixels } from "../data/pixels.ts";
import type { Stage } from "../loop/loop.ts";
import type { WholeBatch } from "../loop/whole-batch.ts";
import { draftLoss, latentHead } from "../losses/draft.ts";
import {
  BACKGROUND_COLORS,
  BACKGROUND_GRID,
  backgroundLabels,
  LAYOUT,
  layoutLoss,
  layoutSum,
} from "../losses/layout-labels.ts";
import { PATCH_LABELS, patchLabels, patchLabelsLoss } from "../losses/patch-labels.ts";
import { type LossTerm, termMetrics, weightedSum } from "../losses/terms.ts";
import { textContrast } from "../losses/text-contrast.ts";
import { WordTargets, wordClassificationLoss } from "../losses/word-classification.ts";
import { wordLocationsLoss } from "../losses/word-locations.ts";
import { pictureData } from "../recipe/picture-keys.ts";
import { key, trainingKeys, weight } from "../recipe/training-keys.ts";
import { type ClipScoreOptions, clipScores } from "./clip-scores.ts";
import { defineStage, type Weights } from "./definition.ts";
import { openCaptionedPictures } from "./picture-stage.ts";
import { CLIP_SIZES } from "./sizes.ts";
import { pairTerm, sceneTerms } from "./teachable-terms.ts";

const weights = z.strictObject({
  contrast: key(
    weight.default(1),
    "of the contrast of pictures and captions; with `data.hardNegatives`, changed captions are further candidates (Yuksekgonul et al. 2023)",
  ),
  pairs: key(weight.default(0), "ours: of each caption against its changed one alone; needs `data.hardNegatives`"),
  wordClassification: key(weight.default(0), "ours: of naming the words of the caption"),
  patchLabels: key(weight.default(0), "ours: of naming the object that covers each patch; scenes only"),
  latents: key(
    weight.default(0),
    "ours: of the autoencoder's latents of each patch, from its token, so that the tower keeps appearance; needs stage vae",
  ),
  layout: key(
    weight.default(0),
    "ours: of naming the object of each patch and the color of the background from the embeddings of pictures and captions; scenes only",
  ),
  wordLocations: key(
    weight.default(0),
    "ours: of naming the patches of each noun's object from the noun's token; scenes only",
  ),
});

type TermWeights = z.output<typeof weights>;

/** Name prefix of the head from tokens to latents, which no model keeps. */
const LATENT_HEAD = "latent_head";

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
  sizes: CLIP_SIZES,
  owns: ["visual_encoder", "clip", "text_model"],
  async build(c) {
    const { data, tokenizer, config, sizes } = await openCaptionedPictures(c, !c.start);
    const scenes = sceneTerms(c, data, c.recipe.weights, ["patchLabels", "layout", "wordLocations"]);
    const hard = data.train.hardNegatives ?? false;
    const weights = pairTerm(c, scenes.weights, hard);
    if (Object.values(weights).every((weight) => weight === 0))
      throw new InputError(
        `${c.where}: weights: expected a term that these pictures can teach, got none. Give contrast a weight, or leave the phase out.`,
      );
    const options: ClipStageOptions = {
      ...{ config, tokenizer, hard, runtime: c.runtime, train: data.train, weights },
      names: scenes.names,
      vae: sizes.vae,
      frozen: weights.latents > 0 ? await c.weights("vae") : undefined,
      data,
      validationCount: c.recipe.data.validation,
    };
    return { stage: clipStage(options) };
  },
});

interface ClipStageOptions extends ClipScoreOptions {
  readonly weights: TermWeights;
  /** Names of objects, for terms that label them. */
  readonly names: readonly string[];
  /** Whether pictures come with changed captions. */
  readonly hard: boolean;
  readonly vae: VaeConfig;
  /** Weights of the autoencoder, for the term that asks for its latents. */
  readonly frozen: Weights | undefined;
}

function clipStage(options: ClipStageOptions): Stage {
  const { config, data, tokenizer, weights, names, hard, frozen } = options;
  const { train } = data;
  const L = config.textEncoder.maxPositions;
  const size = config.vision.imageSize;
  const grid = size / config.vision.patchSize;
  const looks =
    weights.contrast + weights.pairs + weights.wordClassification + weights.patchLabels + weights.latents > 0;
  const labels = weights.patchLabels + weights.layout > 0;
  const words = new WordTargets(tokenizer, L, (count) => takeCaptions(train, 0, count));
  return {
    name: "clip",
    learns: [
      ...(looks ? ["visual_encoder"] : []),
      ...["clip", "text_model"],
      ...(weights.layout + weights.wordLocations > 0 ? [LAYOUT] : []),
      ...(weights.latents > 0 ? [LATENT_HEAD] : []),
    ],
    frozen: frozen && mapWeights(frozen),
    build: (p, B, whole) => (looks ? pairLoss(p, B, whole, options) : textLoss(p, B, whole, options)),
    async batch({ examples }): Promise<Values> {
      const pictures = await takeThose(train, examples);
      const captions = pictures.map(({ caption }) => caption);
      const changed = hard && looks ? pictures.map((picture) => picture.changed ?? picture.caption) : [];
      const texts = captionFeeds([...captions, ...changed], options);
      return {
        ...texts,
        ...(looks && { pixels: normalizedPixels(pictures, config) }),
        ...(weights.wordClassification > 0 && {
          words: await words.shares(texts.ids.data.subarray(0, examples.length * L), examples.length),
        }),
        ...(labels && { patches: patchLabels(pictures, names, grid) }),
        ...(weights.layout > 0 && { background: backgroundLabels(pictures) }),
        ...(weights.wordLocations > 0 && { locations: captionLocations(pictures, names, grid, L) }),
      };
    },
    evaluate: (weights) => clipScores(weights, options),
  };
}

/** The text encoder alone: it learns to read order. */
function textLoss(p: Params, B: number, whole: WholeBatch, options: ClipStageOptions): ReturnType<Stage["build"]> {
  const L = options.config.textEncoder.maxPositions;
  const text = clipText(p, input("ids", [B, L], "i32"), input("end", [B], "i32"), options.config);
  const own = { features: text.features, text: normalize(text.embedding) };
  const terms = textTerms(p, B, own, whole, options);
  return { loss: weightedSum(terms), metrics: termMetrics(terms) };
}

function pairLoss(p: Params, B: number, whole: WholeBatch, options: ClipStageOptions): ReturnType<Stage["build"]> {
  const { config, weights, hard, tokenizer, names, vae } = options;
  const L = config.textEncoder.maxPositions;
  const size = config.vision.imageSize;
  const pixels = input("pixels", [B, 3, size, size]);
  const tokens = evaVit(p.at("visual_encoder"), pixels, config.vision as VitConfig);
  const image = normalize(clipImageOfTokens(p, tokens, config));
  const count = hard ? 2 * B : B;
  const { features, embedding } = clipText(p, input("ids", [count, L], "i32"), input("end", [count], "i32"), config);
  const texts = normalize(embedding);
  const logScale = logitScale(p.at("clip"));
  const temperature = logScale.minimum(Math.log(100)).neg().exp();
  const captions = { caption: texts.slice(0, 0, B), changed: hard ? texts.slice(0, B, count) : undefined };
  const contrast = textContrast({ image, ...captions }, temperature, weights, 0, whole);
  const terms: LossTerm[] = [...contrast.terms];
  const metrics = { logitScale: logScale, ...contrast.metrics };
  if (weights.wordClassification > 0) {
    const named = wordClassificationLoss(p.at("clip"), tokens, input("words", [B, tokenizer.size]));
    terms.push(["wordClassification", named, weights.wordClassification]);
  }
  const P = (size / config.vision.patchSize) ** 2;
  if (weights.patchLabels > 0) {
    const named = patchLabelsLoss(p.at("clip", PATCH_LABELS), tokens, input("patches", [B, P]), names.length);
    terms.push(["patchLabels", named, weights.patchLabels]);
  }
  if (weights.latents > 0) {
    const latents = stopGradient(pixelsToLatents(p, plain(pixels, config), vae));
    const cell = latents.size(2) / Math.sqrt(P);
    const { width } = draftShape({ channels: latents.size(1), size: latents.size(2), cell });
    const head = latentHead(p.at(LATENT_HEAD), tokens, width);
    terms.push(["latents", draftLoss(head, latents, cell), weights.latents]);
  }
  const own = { features: features.slice(0, 0, B), text: texts.slice(0, 0, B), image };
  terms.push(...textTerms(p, B, own, whole, options));
  return { loss: weightedSum(terms), metrics: { ...metrics, ...termMetrics(terms) } };
}

/** The terms that read captions; layout reads pictures too, by the same head. */
function textTerms(
  p: Params,
  B: number,
  { features, text, image }: { features: Tensor; text: Tensor; image?: Tensor },
  whole: WholeBatch,
  { config, weights, names }: ClipStageOptions,
): LossTerm[] {
  const P = (config.vision.imageSize / config.vision.patchSize) ** 2;
  const terms: LossTerm[] = [];
  if (weights.layout > 0) {
    const labels = {
      objects: input("patches", [B, P]).cast("i32"),
      colors: input("background", [B, BACKGROUND_GRID ** 2], "i32"),
    };
    const sizes = { objects: names.length, colors: BACKGROUND_COLORS };
    const of = (embedding: Tensor): Tensor => layoutSum(layoutLoss(p.at(LAYOUT), embedding, labels, sizes, whole));
    terms.push(["captionLayout", of(text), weights.layout]);
    if (image) terms.push(["pictureLayout", of(image), weights.layout]);
  }
  if (weights.wordLocations > 0) {
    const locations = input("locations", [B, features.size(1), P]);
    const located = wordLocationsLoss(p.at(LAYOUT, "where"), features, locations, whole);
    terms.push(["wordLocations", located, weights.wordLocations]);
  }
  return terms;
}

/** Normalized pixels back within 0..1. */
function plain(pixels: Tensor, { pixels: { mean, std } }: SeedlingConfig): Tensor {
  const channel = (values: readonly number[]): Tensor => constant(Float32Array.from(values), [3, 1, 1]);
  return pixels.mul(channel(std)).add(channel(mean));
}

function captionFeeds(captions: readonly string[], { config, tokenizer }: ClipStageOptions) {
  const L = config.textEncoder.maxPositions;
  const { ids, end } = tokenizer.encode(captions, L);
  return {
    ids: { shape: [captions.length, L], data: ids },
    end: { shape: [captions.length], data: end },
  };
}
