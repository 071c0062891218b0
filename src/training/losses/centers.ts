/**
 * Losses of the judge of pictures. Centers of objects by a focal loss, which gives the many easy, empty cells little weight
 * (Lin et al. 2017, arXiv 1708.02002; for centers, Zhou et al. 2019, arXiv 1904.07850). Where the latter lower the penalty
 * around a center by a Gaussian, its eight neighbors do not count at all here: a cell is 4 px wide.
 */
import { BACKGROUND_NAMES } from "../../data/colors.ts";
import type { Tensor } from "../../graph/index.ts";
import { crossEntropy, softplus } from "../../nn/index.ts";
import type { Value } from "../../runtime/index.ts";
import type { Picture } from "../data/pictures.ts";
import { inOnePiece, type WholeBatch } from "../loop/whole-batch.ts";

/** The label of a cell that the loss leaves out; all others are the probability that the cell should get. */
const NOT_COUNTED = -1;

/**
 * For each noun and cell 1 where an object's center is, -1 next to one, else 0. f32 [B,N,grid,grid].
 * @param cell pixels a side of a cell
 */
export function centerLabels(
  pictures: readonly Picture[],
  names: readonly string[],
  { grid, cell }: { readonly grid: number; readonly cell: number },
): Value {
  const index = new Map(names.map((name, i) => [name, i]));
  const area = grid * grid;
  const data = new Float32Array(pictures.length * names.length * area);
  const within = (i: number): number => Math.min(Math.max(i, 0), grid - 1);
  for (const [b, { objects = [] }] of pictures.entries())
    for (const { name, x, y, w, h } of objects) {
      const noun = index.get(name);
      if (noun === undefined) continue;
      const first = (b * names.length + noun) * area;
      const [column, row] = [x + w / 2, y + h / 2].map((center) => within(Math.floor(center / cell))) as [
        number,
        number,
      ];
      for (let r = within(row - 1); r <= within(row + 1); r++)
        for (let c = within(column - 1); c <= within(column + 1); c++) {
          const at = first + r * grid + c;
          if (r === row && c === column) data[at] = 1;
          else if (data[at] === 0) data[at] = NOT_COUNTED;
        }
    }
  return { shape: [pictures.length, names.length, grid, grid], data };
}

/** Colors at the top left and at the bottom right, as indices of BACKGROUND_NAMES; for a fade, its ends. i32 [B,2]. */
export function cornerLabels(pictures: readonly Picture[]): Value {
  const data = pictures.flatMap(({ background }) =>
    background ? [background.from, background.to].map((name) => BACKGROUND_NAMES.indexOf(name)) : [-1, -1],
  );
  return { shape: [pictures.length, 2], data: Int32Array.from(data) };
}

/**
 * Focal loss of exponent 2, summed over cells and divided by the number of objects (at least one).
 * logits, labels: f32 [B,N,Y,X] -> f32 []
 */
export function centersLoss(logits: Tensor, labels: Tensor, whole: WholeBatch = inOnePiece): Tensor {
  const isCenter = labels.maximum(0);
  const isEmpty = labels.abs().sub(1).neg(); // 0 at centers and next to them
  const probability = logits.sigmoid();
  const center = probability.sub(1).square().mul(softplus(logits.neg())).mul(isCenter);
  const empty = probability.square().mul(softplus(logits)).mul(isEmpty);
  return center.add(empty).sum().div(whole.divisor(isCenter.sum()));
}

/** Mean cross entropy, nats. logits: f32 [B,2,K], labels: i32 [B,2] -> f32 [] */
export function cornersLoss(logits: Tensor, labels: Tensor): Tensor {
  const [B, K] = [logits.size(0), logits.size(2)];
  return crossEntropy(logits.reshape([2 * B, K]), labels.reshape([2 * B]));
}
