/**
 * SEED: picture -> 32 causal embeddings -> 32 codes -> generation embeddings. arXiv 2307.08041 section 3.
 *
 * Read top to bottom: encode (tower, Causal Q-Former, codebook), reconstruct (training only), and the two heads that
 * condition a diffusion model: text features (v1) and one image embedding (v2, either head).
 */
import { given } from "../base/item.ts";
import { concat, normal, type Params, type Tensor, zeros } from "../graph/index.ts";
import { block, layerNorm, linear } from "../nn/index.ts";
import { cellsToLatents, type DraftConfig, draftCells, draftVectors, withPositions } from "./draft.ts";
import { evaVit, type VitConfig } from "./eva-vit.ts";
import { type QFormerConfig, qformer } from "./qformer.ts";
import { type CodebookConfig, codebook, decodeTask, encodeTask, type Quantized, vectorQuantize } from "./quantizer.ts";

/** Queries of the published model, and therefore codes per picture. */
export const QUERIES = 32;

/** Queries of a model: as published, unless its config says otherwise (an ablation). */
export function queriesOf({ qformer }: { readonly qformer: QFormerConfig }): number {
  return qformer.queries ?? QUERIES;
}

/** How the decoded vectors become an image embedding (v2). */
export type ImageHead =
  /** Three bias-free layers on each of the 32 vectors, flattened: the released v2 weights. */
  | { readonly kind: "down"; readonly dims: readonly [number, number, number] }
  /** A Reverse Q-Former with one query. */
  | { readonly kind: "reverse"; readonly layers: number };

export interface SeedConfig {
  readonly vision: VitConfig;
  readonly qformer: QFormerConfig;
  readonly codebook: CodebookConfig;
  /** Blocks of each decoder. */
  readonly decoderDepth: number;
  readonly decoderHeads: number;
  /** v2: width of the image embedding and the head that makes it. */
  readonly image?: { readonly width: number; readonly head: ImageHead };
  /** v1: text features [tokens,width] by a Reverse Q-Former. */
  readonly text?: { readonly tokens: number; readonly width: number; readonly layers: number };
  /** Stage 1: width of the contrastive space. */
  readonly contrastiveWidth?: number;
  /** Ours: learned positions are added to what the Causal Q-Former attends to. */
  readonly contextPositions?: true;
  /** Ours: the draft, a head that reads the rebuilt causal embeddings. */
  readonly draft?: DraftConfig;
}

/** pixels: f32 [B,3,Y,X] -> what the Causal Q-Former reads of the frozen tower, f32 [B,1+P,W]. */
export function visionFeatures(p: Params, pixels: Tensor, config: SeedConfig): Tensor {
  return visionContext(p, evaVit(p.at("visual_encoder"), pixels, config.vision), config);
}

/**
 * The tower's tokens as the Causal Q-Former reads them: `ln_vision`, which learns in stage 1 although the tower is frozen;
 * eps 1e-5 (published system: epsilons). Ours adds `vision_positions`, where the config asks for them.
 */
export function visionContext(p: Params, tokens: Tensor, { contextPositions }: SeedConfig): Tensor {
  const x = p.tap("ln_vision.out", layerNorm(p.at("ln_vision"), tokens, 1e-5));
  return contextPositions ? withPositions(p, x, "vision_positions") : x;
}

/**
 * features: f32 [B,S,W] -> causal embeddings f32 [B,32,D], or one of them, f32 [B,1,D]. Embedding k depends on queries
 * 0..k only.
 */
export function causalEmbeddings(p: Params, features: Tensor, config: SeedConfig, only?: number): Tensor {
  const queries = p.get("query_tokens", [1, queriesOf(config), config.qformer.hidden], normal(0.02));
  return qformer(p.at("Qformer", "bert"), config.qformer, { queries, features, only });
}

/** y: causal embeddings f32 [B,32,D] -> codes. */
export function quantize(p: Params, y: Tensor, config: SeedConfig): Quantized {
  const z = encodeTask(p, y, config.codebook);
  const q = vectorQuantize(p, z, config.codebook);
  p.tap("encode_task.out", z);
  p.tap("vq.distances", q.distances);
  p.tap("vq.indices", q.ids);
  p.tap("vq.quantized", q.zq);
  p.tap("vq.loss", q.loss);
  return q;
}

/** Codebook rows of codes. ids: i32 [B,32] -> f32 [B,32,E]. */
export function codeVectors(p: Params, ids: Tensor, config: SeedConfig): Tensor {
  return codebook(p, config.codebook).gather(ids);
}

/** zq: f32 [B,32,E] -> decoded vectors u: f32 [B,32,D]. */
export function decodeVectors(p: Params, zq: Tensor, config: SeedConfig): Tensor {
  return decodeTask(p, zq, config.qformer.hidden);
}

/** A transformer over u with its own positions. Keys `pos_embed<kind>`, `blocks<kind>.i`. u: [B,32,D] -> same. */
function decoder(p: Params, u: Tensor, config: SeedConfig, kind: "" | "_image" | "_text", name: string): Tensor {
  const D = config.qformer.hidden;
  let x = u.add(p.get(`pos_embed${kind}`, [1, u.size(1), D], zeros));
  for (let i = 0; i < config.decoderDepth; i++) {
    x = block(p.at(`blocks${kind}`, i), x, { heads: config.decoderHeads, hidden: 4 * D, eps: 1e-6, qkvBias: "all" });
    p.tap(`${name}.${i}`, x);
  }
  return x;
}

/** Reconstruction of the causal embeddings, for the cosine loss. u: f32 [B,32,D] -> [B,32,D]. */
export function reconstructEmbeddings(p: Params, u: Tensor, config: SeedConfig): Tensor {
  return decoder(p, u, config, "", "recon.blocks");
}

/** v2: u: f32 [B,32,D] -> image embedding f32 [B,F]. */
export function imageEmbedding(p: Params, u: Tensor, config: SeedConfig): Tensor {
  const { width, head } = given(config.image, "the sizes of image");
  const x = decoder(p, u, config, "_image", "detok.blocks_image");
  const B = x.dim(0);
  if (head.kind === "down") {
    const down = p.at("image_down");
    let h = x;
    for (const [i, dim] of head.dims.entries()) {
      h = linear(down.at(2 * i), h, dim, { bias: false, init: normal(h.size(-1) ** -0.5) });
      if (i < 2) h = h.relu();
    }
    p.tap("detok.image_down.out", h);
    return linear(p.at("distill_image_proj"), h.reshape([B, h.size(1) * head.dims[2]]), width);
  }
  const out = reverseQFormer(p, x, config, { tokens: 1, layers: head.layers, kind: "" }, "detok.reverse");
  return linear(p.at("distill_image_proj"), out.reshape([B, config.qformer.hidden]), width);
}

/** v1: u: f32 [B,32,D] -> text features f32 [B,tokens,F]. */
export function textFeatures(p: Params, u: Tensor, config: SeedConfig): Tensor {
  const text = given(config.text, "the sizes of text");
  const x = decoder(p, u, config, "_text", "blocks_text");
  const out = reverseQFormer(p, x, config, { ...text, kind: "_text" }, "reverse");
  return linear(p.at("distill_text_proj"), out, text.width);
}

/** Ours: rebuilt embeddings f32 [B,32,D] -> normalized latents, f32 [B,channels,size,size]. Keys `draft.*`. */
export function draftLatents(p: Params, rebuilt: Tensor, config: SeedConfig): Tensor {
  const draft = given(config.draft, "the sizes of draft");
  const vectors = draftVectors(p.at("draft"), rebuilt, draft, config.qformer);
  return cellsToLatents(draftCells(p.at("draft"), vectors, draft), draft);
}

/**
 * Ours: rebuilt embeddings f32 [B,32,D] -> a draft, what the diffusion model reads: normalized latents f32
 * [B,channels,size,size], followed, with `draft.hidden`, by the vectors of the cells, laid out as D / cell² more channels.
 */
export function draftOf(p: Params, rebuilt: Tensor, config: SeedConfig): Tensor {
  const draft = given(config.draft, "the sizes of draft");
  const vectors = draftVectors(p.at("draft"), rebuilt, draft, config.qformer);
  const latents = cellsToLatents(draftCells(p.at("draft"), vectors, draft), draft);
  if (!draft.hidden) return latents;
  const own = cellsToLatents(vectors, { ...draft, channels: config.qformer.hidden / draft.cell ** 2 });
  return concat([latents, own], 1);
}

/**
 * A bidirectional Q-Former whose learned queries read the decoded vectors. x: [B,32,D] -> [B,tokens,D].
 * Keys `reverse_tokens<kind>`, `Reverse_Qformer<kind>.bert.*`.
 */
function reverseQFormer(
  p: Params,
  x: Tensor,
  config: SeedConfig,
  { tokens, layers, kind }: { tokens: number; layers: number; kind: "" | "_text" },
  name: string,
): Tensor {
  const queries = p.get(`reverse_tokens${kind}`, [1, tokens, config.qformer.hidden], normal(0.02));
  const reverse = { ...config.qformer, layers, causal: false };
  return qformer(p.at(`Reverse_Qformer${kind}`, "bert"), reverse, { queries, features: x, name });
}
