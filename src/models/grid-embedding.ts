/**
 * A picture's embedding from a coarse grid of its patch tokens: mean over blocks of patches, then one projection of all
 * cells together. Which object is where is then linear in the tokens; from their mean, the blocks before it have to bind
 * every object to its position, and telling left from right stays at chance for long. Ours, in place of `pooledImageEmbedding`.
 */
import { ShapeError } from "../base/errors.ts";
import { normal, type Params, type Tensor } from "../graph/index.ts";
import { layerNorm, linear } from "../nn/index.ts";

/**
 * tokens: f32 [B,1+P,W], class token first, P a square; grid: rows and columns of cells -> f32 [B,width], not normalized.
 * Keys `post_layernorm`, `grid_projection.weight` [width,grid² W].
 * @throws ShapeError if the patches cannot be divided into such a grid.
 */
export function gridEmbedding(p: Params, tokens: Tensor, grid: number, width: number): Tensor {
  const [B, P, W] = [tokens.dim(0), tokens.size(1) - 1, tokens.size(2)];
  const side = Math.sqrt(P);
  const block = side / grid;
  if (!Number.isInteger(side) || !Number.isInteger(block))
    throw new ShapeError(`gridEmbedding: expected ${grid} x ${grid} cells of whole patches, got ${P} patches.`);
  const patches = layerNorm(p.at("post_layernorm"), tokens.slice(1, 1, P + 1), 1e-5);
  const cells = patches.reshape([B, grid, block, grid, block, W]).mean([2, 4]); // [B,grid,grid,W]
  const init = normal((grid * grid * W) ** -0.5);
  return linear(p.at("grid_projection"), cells.reshape([B, grid * grid * W]), width, { bias: false, init });
}
