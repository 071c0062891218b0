/**
 * Stage 2: the codebook and the de-tokenizer learn; tower and Causal Q-Former are frozen, so the loss begins at their
 * output. arXiv 2307.08041 section 3.2; weights and terms of the released training code.
 */
import { type Params, stopGradient, type Tensor } from "../../graph/index.ts";
import {
  decodeVectors,
  imageEmbedding,
  quantize,
  reconstructEmbeddings,
  type SeedConfig,
  textFeatures,
} from "../../models/seed-tokenizer.ts";
import { cosineLoss, mse } from "../../nn/index.ts";
import { inOnePiece, type WholeBatch } from "../loop/whole-batch.ts";
import { keepPrefix } from "./nested-dropout.ts";

/** Targets from the frozen teachers, for the same pictures and captions; a term without its target is left out. */
export interface Stage2Targets {
  /** f32 [B,F], the image encoder's projected embedding, not normalized. */
  readonly imageEmbedding?: Tensor;
  /** f32 [B,tokens,F], the text encoder's last hidden state after its final norm. */
  readonly textFeatures?: Tensor;
}

export const STAGE2_WEIGHTS = { codebook: 5, reconstruction: 2, image: 0.5, text: 0.5 } as const;

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
  /** The embeddings rebuilt from the chosen codes, f32 [B,32,D]. */
  readonly rebuilt: Tensor;
}

/**
 * y: causal embeddings, f32 [B,32,D]; of the frozen Q-Former, or of one that learns embeddings that codes can express.
 * `config.image` and `config.text` determine which heads exist.
 * keep, ours: f32 [B,32,1], 1 for codes that are read, whose embeddings alone have to be rebuilt (nested dropout). The
 * heads read all of them.
 * Keys: `quantize.*`, `encode_task_layer.*`, `decode_task_layer.*`, `pos_embed`, `blocks` and those of the heads.
 */
export function stage2Loss(
  p: Params,
  y: Tensor,
  targets: Stage2Targets,
  config: SeedConfig,
  weights: Readonly<Record<Stage2Term, number>> = STAGE2_WEIGHTS,
  keep?: Tensor,
  whole: WholeBatch = inOnePiece,
): Stage2Output {
  const { z, zq, ids, loss: codebook } = quantize(p, y, config);
  const u = decodeVectors(p, zq, config);
  const read = keep ? decodeVectors(p, keepPrefix(p.at("quantize"), zq, keep), config) : u;
  const rebuilt = reconstructEmbeddings(p, read, config);
  const parts: Partial<Record<Stage2Term, Tensor>> = {
    codebook: codebook.mul(weights.codebook),
    reconstruction: cosineLoss(rebuilt, stopGradient(y), keep?.reshape([keep.dim(0), keep.size(1)]), whole.mean).mul(
      weights.reconstruction,
    ),
  };
  if (targets.imageEmbedding)
    parts.image = mse(imageEmbedding(p, u, config), targets.imageEmbedding).mul(weights.image);
  if (targets.textFeatures) parts.text = mse(textFeatures(p, u, config), targets.textFeatures).mul(weights.text);
  return { loss: Object.values(parts).reduce((a, b) => a.add(b)), parts, ids, z, rebuilt };
}
