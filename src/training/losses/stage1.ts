/**
 * Stage 1: the Causal Q-Former learns that its last embedding says what the caption says. Both are projected to unit
 * vectors and contrasted over the batch. arXiv 2307.08041 section 3.1; BLIP-2's contrastive loss on the last query.
 */
import { constant, type Params, stopGradient, type Tensor } from "../../graph/index.ts";
import { imageFeature, TEMPERATURE, textFeature, textHidden } from "../../models/contrastive.ts";
import { evaVit } from "../../models/eva-vit.ts";
import { causalEmbeddings, QUERIES, type SeedConfig, visionNorm } from "../../models/seed-tokenizer.ts";
import { crossEntropy, scalar } from "../../nn/index.ts";

/** Captioned pictures: pixels f32 [B,3,Y,X], or the frozen tower's tokens f32 [B,S,W] (before `ln_vision`, it learns). */
export type Stage1Batch = ({ readonly pixels: Tensor } | { readonly tokens: Tensor }) & {
  /** i32 [B,L], the first is the begin token. */
  readonly textIds: Tensor;
  /** i32 [B,L], 1 = token and 0 = padding. */
  readonly textMask: Tensor;
};

/** Unit vectors, f32 [B,F] each. */
export interface Stage1Features {
  readonly image: Tensor;
  readonly text: Tensor;
}

export interface ContrastOptions {
  /** Share of the target spread evenly over all columns. Default 0.1. */
  readonly smoothing?: number;
  /**
   * "official": no gradient flows to the columns, so each direction trains one side only (published system: gather without gradient).
   * "both-sides" (default): the ordinary loss of CLIP.
   */
  readonly gather?: "official" | "both-sides";
  /** The columns where they are more than our own: features of all processes as constants, ours from row `first`. */
  readonly gathered?: Stage1Features & { readonly first: number };
}

export interface Stage1Options extends ContrastOptions {
  /** Computes all 32 embeddings in the last layer, for a loss that reads more than the last one. Default false. */
  readonly all?: boolean;
  /** Computes all words in the last layer of the text side. Default false. */
  readonly allWords?: boolean;
}

export interface Stage1Output extends Stage1Features {
  /** Mean of both directions' cross entropies, nats. */
  readonly loss: Tensor;
  /** Image rows against all texts, divided by the temperature, f32 [B,columns]; then text rows against all images. */
  readonly imageToText: Tensor;
  readonly textToImage: Tensor;
}

export interface Stage1Loss extends Stage1Output {
  /** Causal embeddings, f32 [B,32,D], or the last alone, f32 [B,1,D]. */
  readonly y: Tensor;
}

/**
 * Keys: those of the tower and the Q-Former, `vision_proj.*`, `text_proj.*`, `temp`. The loss reads one position of
 * each side, so the last layers compute only these, unless the options ask for all.
 */
export function stage1Loss(p: Params, batch: Stage1Batch, config: SeedConfig, options: Stage1Options = {}): Stage1Loss {
  const last = options.all ? undefined : QUERIES - 1;
  const first = options.allWords ? undefined : 0;
  const tokens = "tokens" in batch ? batch.tokens : evaVit(p.at("visual_encoder"), batch.pixels, config.vision);
  const y = causalEmbeddings(p, visionNorm(p, tokens), config, last);
  const hidden = textHidden(p, batch.textIds, batch.textMask, config.qformer, first);
  const features = { image: imageFeature(p, y, config), text: textFeature(p, hidden, config) };
  return { ...contrast(features, scalar(p, "temp", TEMPERATURE), options), y };
}

/** Contrastive loss of features with a temperature f32 []; row b belongs to column `first` + b. */
export function contrast(features: Stage1Features, temperature: Tensor, options: ContrastOptions = {}): Stage1Output {
  const { smoothing = 0.1, gather = "both-sides", gathered } = options;
  const columns = (own: Tensor, all?: Tensor): Tensor =>
    gather === "official" ? stopGradient(all ?? own) : (all ?? own);
  const similarity = (rows: Tensor, all: Tensor): Tensor => rows.matmul(all, { transB: true }).div(temperature);
  const { image, text } = features;
  const imageToText = similarity(image, columns(text, gathered?.text));
  const textToImage = similarity(text, columns(image, gathered?.image));
  const first = gathered?.first ?? 0;
  const target = constant(Int32Array.from({ length: image.size(0) }, (_, b) => first + b));
  const both = crossEntropy(imageToText, target, smoothing).add(crossEntropy(textToImage, target, smoothing));
  return { image, text, imageToText, textToImage, loss: both.mul(0.5) };
}
