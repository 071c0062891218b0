/**
 * Which thing is where: every place of the picture names the thing that covers it. The words of a caption say what a
 * picture shows but not where, and a small model takes long to find out; scenes know it. So the boxes teach what the
 * words cannot, as location-aware captions do in Wan et al. 2024 (LocCa). Ours; only trained with, never stored.
 */
import { normal, type Params, type Tensor } from "../../graph/index.ts";
import { crossEntropy, layerNorm, linear } from "../../nn/index.ts";
import type { Value } from "../../runtime/index.ts";
import type { Picture } from "../data/pictures.ts";

/**
 * For each of grid x grid places, row by row, 1 + the index in `names` of the thing whose box holds its middle, 0 where
 * none does. Of boxes that overlap, the later one counts: it was drawn over the other. f32 [B,grid*grid], whole numbers.
 */
export function placeLabels(pictures: readonly Picture[], names: readonly string[], grid: number): Value {
  const index = new Map(names.map((name, i) => [name, i + 1]));
  const data = new Float32Array(pictures.length * grid * grid);
  for (const [b, { image, things = [] }] of pictures.entries()) {
    const [width, height] = [image.width / grid, image.height / grid];
    for (const { name, x, y, w, h } of things)
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
 * Mean cross entropy over places. tokens: f32 [B,1+P,W], class token first; labels: f32 [B,P] as `placeLabels` gives them;
 * things: how many names there are. Keys `norm`, `things`.
 */
export function placesLoss(p: Params, tokens: Tensor, labels: Tensor, things: number): Tensor {
  const [B, P, W] = [labels.size(0), labels.size(1), tokens.size(2)];
  const each = layerNorm(p.at("norm"), tokens.slice(1, 1, P + 1), 1e-5);
  const named = linear(p.at("things"), each, things + 1, { init: normal(W ** -0.5) });
  return crossEntropy(named.reshape([B * P, things + 1]), labels.reshape([B * P]).cast("i32"));
}
