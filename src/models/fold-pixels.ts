/** Squares of pixels as channels, and back: space to depth. */
import type { Tensor } from "../graph/index.ts";

/** f32 [B,C,Y,X] -> [B,C fold²,Y/fold,X/fold]; channels are (channel, row, column). */
export function foldPixels(x: Tensor, fold = 1): Tensor {
  if (fold === 1) return x;
  const [B, C, Y, X] = [x.dim(0), x.size(1), x.size(2) / fold, x.size(3) / fold];
  return x
    .reshape([B, C, Y, fold, X, fold])
    .transpose([0, 1, 3, 5, 2, 4])
    .reshape([B, C * fold * fold, Y, X]);
}

/** The inverse. */
export function unfoldPixels(x: Tensor, fold = 1): Tensor {
  if (fold === 1) return x;
  const [B, C, Y, X] = [x.dim(0), x.size(1) / (fold * fold), x.size(2), x.size(3)];
  return x
    .reshape([B, C, fold, fold, Y, X])
    .transpose([0, 1, 4, 2, 5, 3])
    .reshape([B, C, Y * fold, X * fold]);
}
