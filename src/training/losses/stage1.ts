/**
 * Stage 1: the last embedding of the Causal Q-Former learns to match the caption. Both are projected to unit vectors and
 * contrasted over the batch. arXiv 2307.08041 section 3.1; BLIP-2's contrastive loss on the last query.
 */
import type { Params, Tensor } from "../../graph/index.ts";
import { imageFeature, TEMPERATURE, textFeature, textHidden } from "../../models/contrastive.ts";
import { evaVit } from "../../models/eva-vit.ts";
import { causalEmbeddings, queriesOf, type SeedConfig, visionContext } from "../../models/seed-tokenizer.ts";
import { scalar } from "../../nn/index.ts";
import { type ContrastOptions, type ContrastOutput, contrast } from "./contrast.ts";

/** Captioned pictures: pixels f32 [B,3,Y,X], or the frozen tower's tokens f32 [B,S,W] (before `ln_vision`, which learns). */
export type Stage1Batch = ({ readonly pixels: Tensor } | { readonly tokens: Tensor }) & {
  /** i32 [B,L], the first is the begin token. */
  readonly textIds: Tensor;
  /** i32 [B,L], 1 = token and 0 = padding. */
  readonly textMask: Tensor;
};

export interface Stage1Options extends ContrastOptions {
  /** Computes all 32 embeddings in the last layer, for a loss that reads more than the last one. Default false. */
  readonly all?: boolean;
  /** Computes all words in the last layer of the text side. Default false. */
  readonly allWords?: boolean;
}

export interface Stage1Loss extends ContrastOutput {
  /** Causal embeddings, f32 [B,32,D], or the last alone, f32 [B,1,D]. */
  readonly y: Tensor;
}

/**
 * Keys: those of the tower and the Q-Former, `vision_proj.*`, `text_proj.*`, `temp`. The loss reads one position of
 * each side, so the last layers compute only these, unless the options ask for all.
 */
export function stage1Loss(p: Params, batch: Stage1Batch, config: SeedConfig, options: Stage1Options = {}): Stage1Loss {
  const last = options.all ? undefined : queriesOf(config) - 1;
  const first = options.allWords ? undefined : 0;
  const tokens = "tokens" in batch ? batch.tokens : evaVit(p.at("visual_encoder"), batch.pixels, config.vision);
  const y = causalEmbeddings(p, visionContext(p, tokens, config), config, last);
  const hidden = textHidden(p, batch.textIds, batch.textMask, config.qformer, first);
  const features = { image: imageFeature(p, y, config), text: textFeature(p, hidden, config) };
  return { ...contrast(features, scalar(p, "temp", TEMPERATURE), options), y };
}
