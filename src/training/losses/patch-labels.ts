/**
 * Patch labels: every patch of the picture names the object that covers it. A caption tells what a picture shows but not
 * where, which a small model takes long to learn; the boxes of scenes teach it, as location-aware captions do in Wan
 * et al. 2024 (LocCa). Ours; used in training only, never stored in a model.
 */
import { normal, type Params, type Tensor } from "../../graph/index.ts";
import { crossEntropy, layerNorm, linear } from "../../nn/index.ts";
import type { Value } from "../../runtime/index.ts";
import type { Picture } from "../data/pictures.ts";

/** Name prefix of the parameters that only this loss has. Older than the name of the loss: their first values follow from it. */
export const PATCH_LABELS = "places";

/**
 * For each of grid x grid patches, row by row, 1 + the index in `names` of the object whose box holds its center, 0 where
 * none does. Where boxes overlap the later one counts: it was drawn over the other. f32 [B,grid*grid], whole numbers.
 */
export function patchLabels(pictures: readonly Picture[], names: readonly string[], grid: number): Value {
  const index = new Map(names.map((name, i) => [name, i + 1]));
  const data = new Float32Array(pictures.length * grid * grid);
  for (const [b, { image, objects = [] }] of pictures.entries()) {
    const [width, height] = [image.width / grid, image.height / grid];
    for (const { name, x, y, w, h } of objects)
      for (let row = 0; row < grid; row++)
        for (let column = 0; column < grid; column++) {
          const [mx, my] = [(column + 0.5) * width, (row + 0.5) * height];
          if (mx >= x && mx < x + w && my >= y && my < y + h)
            data[(b * grid + row) * grid + column] = index.get(name) ?? 0;
        }
  }
  return { shape: [pictures.length, grid * grid], data };
}

/**
 * Mean cross entropy over patches. tokens: f32 [B,1+P,W], class token first; labels: f32 [B,P] of `patchLabels`; names: how
 * many names objects have. Keys `norm`, `things`.
 */
export function patchLabelsLoss(p: Params, tokens: Tensor, labels: Tensor, names: number): Tensor {
  const [B, P, W] = [labels.size(0), labels.size(1), tokens.size(2)];
  const each = layerNorm(p.at("norm"), tokens.slice(1, 1, P + 1), 1e-5);
  const named = linear(p.at("things"), each, names + 1, { init: normal(W ** -0.5) });
  return crossEntropy(named.reshape([B * P, names + 1]), labels.reshape([B * P]).cast("i32"));
}
