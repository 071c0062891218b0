/**
 * Latents as a target: a linear head keeps appearance in every patch token of the tower, and drafts predict the same cells
 * from 32 vectors. Both take latents normalized by channel, so that 1 is the error of the mean picture.
 */
import { normal, type Params, stopGradient, type Tensor } from "../../graph/index.ts";
import { latentsToCells } from "../../models/draft.ts";
import { layerNorm, linear, mse } from "../../nn/index.ts";
import { inOnePiece, type WholeBatch } from "../loop/whole-batch.ts";
import { batchMoments } from "./batch-moments.ts";

/**
 * The tower's patch tokens as cells of latents; used in training only. tokens: f32 [B,1+P,W], class token first ->
 * f32 [B,P,width]. Keys `norm`, `out`.
 */
export function latentHead(p: Params, tokens: Tensor, width: number): Tensor {
  const patches = layerNorm(p.at("norm"), tokens.slice(1, 1, tokens.size(1)), 1e-5);
  return linear(p.at("out"), patches, width, { init: normal(tokens.size(2) ** -0.5) });
}

/** Mean squared error of cells f32 [B,cells,C cell²] of normalized latents f32 [B,C,Y,X], of variance 1. */
export function draftLoss(cells: Tensor, latents: Tensor, cell: number): Tensor {
  return mse(cells, latentsToCells(latents, cell));
}

/**
 * The tower's patch tokens, regressed from the vectors of a draft's cells: mean squared error of tokens of mean 0 and
 * variance 1 in each of their numbers, so that 1 is the error of the mean token. vectors: f32 [B,P,D], tokens: f32
 * [B,1+P,W], class token first. Keys of a linear layer.
 */
export function tokensLoss(p: Params, vectors: Tensor, tokens: Tensor, whole: WholeBatch = inOnePiece): Tensor {
  const patches = tokens.slice(1, 1, tokens.size(1));
  const { mean, variance } = batchMoments(patches, [0, 1], whole);
  const goal = patches.sub(mean).div(variance.add(1e-6).sqrt());
  return mse(linear(p, vectors, goal.size(2), { init: normal(vectors.size(2) ** -0.5) }), stopGradient(goal));
}
