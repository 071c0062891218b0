/**
 * Stage 2: the codebook and the de-tokenizer learn; tower and Causal Q-Former are frozen, so the loss begins at their
 * output. arXiv 2307.08041 section 3.2; weights and terms of the released training code.
 */
import type { Params, Tensor } from "../../graph/index.ts";
import { imageFeature, TEMPERATURE } from "../../models/contrastive.ts";
import {
  decodeVectors,
  imageEmbedding,
  quantize,
  reconstructEmbeddings,
  type SeedConfig,
  textFeatures,
} from "../../models/seed-tokenizer.ts";
import { cosineLoss, mse, scalar } from "../../nn/index.ts";
import { contrast } from "./contrast.ts";

/** Targets from the frozen teachers, for the same pictures and captions; a term without its target is left out. */
export interface Stage2Targets {
  /** f32 [B,F], the image encoder's projected embedding, not normalized. */
  readonly imageEmbedding?: Tensor;
  /** f32 [B,tokens,F], the text encoder's last hidden state after its final norm. */
  readonly textFeatures?: Tensor;
  /** f32 [B,F], stage 1's feature of the caption, unit length; needed for the term `contrast`. */
  readonly captions?: Tensor;
}

/**
 * As published, and `contrast`, which is ours and off by default: the reconstructed last embedding goes through stage 1's
 * projection and has to find its caption among those of the batch. The cosine over all 32 positions gives the last one
 * 1/32 of its weight, and two pictures differ by a small angle in it.
 */
export const STAGE2_WEIGHTS = { codebook: 5, reconstruction: 2, image: 0.5, text: 0.5, contrast: 0 } as const;

export type Stage2Term = keyof typeof STAGE2_WEIGHTS;

export interface Stage2Output {
  /** Sum of the parts. */
  readonly loss: Tensor;
  /** Each term times its weight. */
  readonly parts: Readonly<Partial<Record<Stage2Term, Tensor>>>;
  /** i32 [B,32], to watch how many codes are in use. */
  readonly ids: Tensor;
  /** f32 [B,32,E], what the codebook has to cover. */
  readonly z: Tensor;
  /** The chosen codes' vectors, f32 [B,32,E], and the embeddings rebuilt from them, f32 [B,32,D]. */
  readonly zq: Tensor;
  readonly rebuilt: Tensor;
}

/**
 * y: causal embeddings of the frozen Q-Former, f32 [B,32,D]. `config.image` and `config.text` say which heads exist.
 * Keys: `quantize.*`, `encode_task_layer.*`, `decode_task_layer.*`, `pos_embed`, `blocks` and those of the heads; for
 * the term `contrast` also stage 1's `vision_proj.*` and `temp`.
 */
export function stage2Loss(
  p: Params,
  y: Tensor,
  targets: Stage2Targets,
  config: SeedConfig,
  weights: Readonly<Record<Stage2Term, number>> = STAGE2_WEIGHTS,
): Stage2Output {
  const { z, zq, ids, loss: codebook } = quantize(p, y, config);
  const u = decodeVectors(p, zq, config);
  const rebuilt = reconstructEmbeddings(p, u, config);
  const parts: Partial<Record<Stage2Term, Tensor>> = {
    codebook: codebook.mul(weights.codebook),
    reconstruction: cosineLoss(rebuilt, y).mul(weights.reconstruction),
  };
  if (targets.captions) {
    const features = { image: imageFeature(p, rebuilt, config), text: targets.captions };
    parts.contrast = contrast(features, scalar(p, "temp", TEMPERATURE), { smoothing: 0 }).loss.mul(weights.contrast);
  }
  if (targets.imageEmbedding)
    parts.image = mse(imageEmbedding(p, u, config), targets.imageEmbedding).mul(weights.image);
  if (targets.textFeatures) parts.text = mse(textFeatures(p, u, config), targets.textFeatures).mul(weights.text);
  return { loss: Object.values(parts).reduce((a, b) => a.add(b)), parts, ids, z, zq, rebuilt };
}
