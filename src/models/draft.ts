/**
 * Drafts: a picture's latents regressed from 32 vectors, with one learned query for each cell of the latents. A draft
 * conditions the diffusion model; decoded by itself, it is a soft picture. arXiv 2307.08041 section 3.2 maps codes to
 * what conditions the diffusion model with a Reverse Q-Former; aligned cells in place of text features are ours.
 */
import { ShapeError } from "../base/errors.ts";
import { normal, type Params, type Tensor } from "../graph/index.ts";
import { layerNorm, linear } from "../nn/index.ts";
import { type QFormerConfig, qformer } from "./qformer.ts";

export interface DraftConfig {
  /** Channels, and rows or columns, of the latents. */
  readonly channels: number;
  readonly size: number;
  /** Rows or columns of latents in one cell. */
  readonly cell: number;
  /** Layers of the Reverse Q-Former, every one with cross-attention. */
  readonly layers: number;
  /** Does the diffusion model read the Reverse Q-Former's own vectors of the cells, in addition to the latents? */
  readonly hidden?: true;
}

/** Number of cells, and values per cell. */
export function draftShape({ channels, size, cell }: Pick<DraftConfig, "channels" | "size" | "cell">): {
  readonly cells: number;
  readonly width: number;
} {
  return { cells: (size / cell) ** 2, width: channels * cell ** 2 };
}

/** Channels of what the diffusion model reads. @param D width of the cells' vectors */
export function draftChannels({ channels, cell, hidden }: DraftConfig, D: number): number {
  return hidden ? channels + D / cell ** 2 : channels;
}

/**
 * vectors: f32 [B,32,D] (causal embeddings, or what the codebook's decoder makes of codes) -> one vector a cell, f32
 * [B,cells,D]. The context is normalized and has positions, and queries start at standard deviation 1: see
 * `training/loop/sharp-start.ts` and `regions.ts`. Keys `queries`, `context`, `positions`, `bert.*`.
 */
export function draftVectors(p: Params, vectors: Tensor, config: DraftConfig, layers: QFormerConfig): Tensor {
  const { cells } = draftShape(config);
  const D = layers.hidden;
  const queries = p.get("queries", [1, cells, D], normal(1));
  const features = withPositions(p, layerNorm(p.at("context"), vectors, 1e-5));
  const reverse = { ...layers, layers: config.layers, causal: false, crossAttentionFrequency: 1 };
  return qformer(p.at("bert"), reverse, { queries, features });
}

/** Vectors of cells f32 [B,cells,D] -> their latents f32 [B,cells,width]. Key `out`. */
export function draftCells(p: Params, vectors: Tensor, config: DraftConfig): Tensor {
  return linear(p.at("out"), vectors, draftShape(config).width, { init: normal(vectors.size(-1) ** -0.5) });
}

/**
 * Learned positions of standard deviation 1 on a normalized context, so that queries can attend by position from the start; for
 * the tower's tokens before the Causal Q-Former too. x: f32 [B,T,W] -> [B,T,W]. Key `key` [1,T,W].
 */
export function withPositions(p: Params, x: Tensor, key = "positions"): Tensor {
  return x.add(p.get(key, [1, x.size(1), x.size(2)], normal(1)));
}

/** f32 [B,C,Y,X] -> [B,cells,C cell²]: cells row by row, the values of each by channel, row, column. */
export function latentsToCells(z: Tensor, cell: number): Tensor {
  const [B, C, Y, X] = [z.dim(0), z.size(1), z.size(2), z.size(3)];
  if (Y % cell !== 0 || X % cell !== 0)
    throw new ShapeError(`draft: expected latents in whole cells of ${cell}, got [${z.shape}].`);
  const [rows, columns] = [Y / cell, X / cell];
  return z
    .reshape([B, C, rows, cell, columns, cell])
    .transpose([0, 2, 4, 1, 3, 5])
    .reshape([B, rows * columns, C * cell * cell]);
}

/** The inverse, for square latents. f32 [B,cells,width] -> [B,channels,size,size]. */
export function cellsToLatents(
  cells: Tensor,
  { channels, size, cell }: Pick<DraftConfig, "channels" | "size" | "cell">,
): Tensor {
  const side = size / cell;
  return cells
    .reshape([cells.dim(0), side, side, channels, cell, cell])
    .transpose([0, 3, 1, 4, 2, 5])
    .reshape([cells.dim(0), channels, size, size]);
}
