/**
 * Contrast with hard negatives: each picture has, besides the captions of the batch, a caption of its own with one change.
 * Without it a bag of words is enough for a model. Yuksekgonul et al. 2023 (NegCLIP); the term of pairs is ours: it
 * asks for the change alone, from the first step on, while the other candidates still fill the softmax.
 */
import { ShapeError } from "../../base/errors.ts";
import { concat, constant, type Tensor } from "../../graph/index.ts";
import { crossEntropy, softplus } from "../../nn/index.ts";

export interface HardContrast {
  /** Mean of both directions' cross entropies, nats. Rows of pictures have the changed captions as further columns. */
  readonly contrast: Tensor;
  /** Mean cross entropy of each caption against its changed one alone, nats. */
  readonly pairs: Tensor;
  /** Share of pictures that are nearer to their caption than to the changed one, 0 to 1. */
  readonly pairsRight: Tensor;
}

/**
 * image, captions, changed: f32 [B,F], unit vectors; row b is of picture b. scale: f32 [], the inverse temperature.
 * @throws ShapeError if there are not as many captions as pictures.
 */
export function hardContrast(
  image: Tensor,
  captions: Tensor,
  changed: Tensor,
  scale: Tensor,
  smoothing = 0,
): HardContrast {
  const B = image.size(0);
  for (const texts of [captions, changed])
    if (texts.size(0) !== B)
      throw new ShapeError(`hardContrast: expected ${B} captions for ${B} pictures, got ${texts.size(0)}.`);
  const logits = image.matmul(concat([captions, changed], 0), { transB: true }).mul(scale); // [B,2B]
  const own = constant(Int32Array.from({ length: B }, (_, b) => b));
  const imageToText = crossEntropy(logits, own, smoothing);
  const textToImage = crossEntropy(logits.slice(1, 0, B).transpose([1, 0]), own, smoothing);
  const difference = image.mul(changed.sub(captions)).sum(-1).mul(scale); // changed - true, [B]
  return {
    contrast: imageToText.add(textToImage).mul(0.5),
    pairs: softplus(difference).mean(),
    pairsRight: difference.less(0).cast("f32").mean(),
  };
}
