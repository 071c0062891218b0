/** The sizes of an official checkpoint, read off the shapes of its tensors. */

import { CheckpointError, UsageError } from "../../base/errors.ts";
import { item } from "../../base/item.ts";
import { FORMAT, type ModelConfig, parseModelConfig } from "../../models/config.ts";
import { QUERIES } from "../../models/seed-tokenizer.ts";
import { TOWER_BLOCKS } from "../../weights/official.ts";

/** What shapes do not tell. */
export interface Hints {
  /** Default: as many as have a width of 88 each, as in ViT-g. */
  readonly visionHeads?: number | undefined;
  /** Blocks of the tower that run. Default: all there are, at most 39. */
  readonly visionDepth?: number | undefined;
  /** Default: as many as have a width of 64 each, as in BERT. */
  readonly qformerHeads?: number | undefined;
  /** Default: 12, a constant of the official code. */
  readonly decoderHeads?: number | undefined;
  /** Of the norms. Default 1e-6 and 1e-12. */
  readonly visionEps?: number | undefined;
  readonly qformerEps?: number | undefined;
}

/** Layers or blocks of one stack; far beyond any model, and few enough to build a graph of. */
const MAX_PARTS = 1000;

export type Shapes = ReadonlyMap<string, readonly number[]>;

/**
 * The configuration of the model whose tensors have these shapes, under our names.
 * @throws CheckpointError if the tower or the Q-Former is not among them; UsageError if a number of heads cannot be guessed.
 */
export function inferOfficialConfig(shapes: Shapes, hints: Hints, where: string): ModelConfig {
  const has = (name: string): boolean => shapes.has(name);
  /** Size of one axis of a tensor that must be there. */
  const size = (name: string, axis: number): number => {
    const dim = shapes.get(name)?.[axis];
    if (dim !== undefined) return dim;
    throw new CheckpointError(`${where}: expected the tensor ${name}, found none of that rank. Is the file complete?`);
  };
  /** How many numbered parts there are below `prefix`. */
  const parts = (prefix: string): number => {
    const numbers = new Set<string>();
    for (const name of shapes.keys()) {
      const number = name.startsWith(`${prefix}.`) ? item(name.slice(prefix.length + 1).split(".", 1), 0) : "";
      if (/^\d+$/.test(number)) numbers.add(number);
    }
    if (numbers.size <= MAX_PARTS) return numbers.size;
    throw new CheckpointError(`${where}: expected at most ${MAX_PARTS} parts of ${prefix}, got ${numbers.size}.`);
  };
  if (!has("visual_encoder.cls_token"))
    throw new CheckpointError(`${where}: expected the vision tower, found none. Name its file (eva_vit_g.pth) too.`);
  if (!has("query_tokens"))
    throw new CheckpointError(`${where}: expected query_tokens of a Q-Former, found none. Name its file too.`);
  if (size("query_tokens", 1) !== QUERIES)
    throw new CheckpointError(`${where}: expected ${QUERIES} queries, got ${size("query_tokens", 1)}.`);

  const W = size("visual_encoder.cls_token", 2);
  const patch = size("visual_encoder.patch_embed.proj.weight", 2);
  const tokens = size("visual_encoder.pos_embed", 1);
  const vision = {
    imageSize: Math.sqrt(tokens - 1) * patch,
    patchSize: patch,
    width: W,
    depth: hints.visionDepth ?? Math.min(TOWER_BLOCKS, parts("visual_encoder.blocks")),
    heads: hints.visionHeads ?? byHeadSize(W, 88, "the vision tower", "visionHeads", where),
    mlpHidden: size("visual_encoder.blocks.0.mlp.fc1.weight", 0),
    eps: hints.visionEps,
  };

  const bert = "Qformer.bert";
  const layers = parts(`${bert}.encoder.layer`);
  const hidden = size("query_tokens", 2);
  const words = `${bert}.embeddings.word_embeddings.weight`;
  const positions = `${bert}.embeddings.position_embeddings.weight`;
  const branch = `${bert}.encoder.layer.0.intermediate.dense.weight`;
  const readsText = [words, positions, branch, "vision_proj.weight", "text_proj.weight"].every(has);
  const qformer = {
    hidden,
    heads: hints.qformerHeads ?? byHeadSize(hidden, 64, "the Q-Former", "qformerHeads", where),
    layers,
    intermediate: size(`${bert}.encoder.layer.0.intermediate_query.dense.weight`, 0),
    crossAttentionFrequency: crossAttentionFrequency(layers, (j) =>
      has(`${bert}.encoder.layer.${j}.crossattention.self.query.weight`),
    ),
    causal: true,
    eps: hints.qformerEps,
    ...(readsText ? { vocabulary: size(words, 0), maxPositions: size(positions, 0) } : {}),
  };

  const down = [0, 2, 4].map((i) => `image_down.${i}.weight`);
  const image = has(item(down, 0))
    ? { width: size("distill_image_proj.weight", 0), head: { kind: "down", dims: down.map((name) => size(name, 0)) } }
    : has("distill_image_proj.weight")
      ? {
          width: size("distill_image_proj.weight", 0),
          head: { kind: "reverse", layers: parts("Reverse_Qformer.bert.encoder.layer") },
        }
      : undefined;
  const text = has("distill_text_proj.weight")
    ? {
        tokens: size("reverse_tokens_text", 1),
        width: size("distill_text_proj.weight", 0),
        layers: parts("Reverse_Qformer_text.bert.encoder.layer"),
      }
    : undefined;
  const codec = has("quantize.embedding.weight")
    ? {
        codebook: { codes: size("quantize.embedding.weight", 0), width: size("quantize.embedding.weight", 1) },
        decoderDepth: Math.max(1, ...["blocks", "blocks_image", "blocks_text"].map(parts)),
        decoderHeads: hints.decoderHeads ?? 12,
        reconstructs: has("pos_embed"),
        image,
        text,
      }
    : {};
  const contrastiveWidth = has("vision_proj.weight") ? size("vision_proj.weight", 0) : undefined;
  const config = { format: FORMAT, vision, qformer, contrastiveWidth, ...codec };
  return parseModelConfig(JSON.parse(JSON.stringify(config)), `${where} (sizes read off its shapes)`);
}

function byHeadSize(width: number, headSize: number, what: string, option: string, where: string): number {
  if (width % headSize === 0) return width / headSize;
  throw new UsageError(
    `${where}: the heads of ${what} cannot be told from shapes: ${width} is not a multiple of ${headSize}. Set ${option}.`,
  );
}

/** Distance between the layers with cross-attention to the picture; the first layer always has it. */
function crossAttentionFrequency(layers: number, looks: (layer: number) => boolean): number {
  for (let j = 1; j < layers; j++) if (looks(j)) return j;
  return Math.max(2, layers);
}
