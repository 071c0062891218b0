/** The contrast of pictures and captions over the batch. Radford et al. 2021; with the variants of the published system. */
import { constant, stopGradient, type Tensor } from "../../graph/index.ts";
import { crossEntropy } from "../../nn/index.ts";

/** Unit vectors, f32 [B,F] each. */
export interface ContrastFeatures {
  readonly image: Tensor;
  readonly text: Tensor;
}

export interface ContrastOptions {
  /** Share of the target spread evenly over all columns. Default 0.1. */
  readonly smoothing?: number;
  /**
   * "official": no gradient flows to the columns, so each direction trains one side only (published system: gather without gradient).
   * "both-sides" (default): the ordinary loss of CLIP.
   */
  readonly gather?: "official" | "both-sides";
  /** Columns of all processes, as constants; those of this process begin at row `first`. */
  readonly gathered?: ContrastFeatures & { readonly first: number };
}

export interface ContrastOutput extends ContrastFeatures {
  /** Mean of both directions' cross entropies, nats. */
  readonly loss: Tensor;
  /** Image rows against all texts, divided by the temperature, f32 [B,columns]; then text rows against all images. */
  readonly imageToText: Tensor;
  readonly textToImage: Tensor;
}

/** Contrastive loss of features with a temperature f32 []; row b belongs to column `first` + b. */
export function contrast(
  features: ContrastFeatures,
  temperature: Tensor,
  options: ContrastOptions = {},
): ContrastOutput {
  const { smoothing = 0.1, gather = "both-sides", gathered } = options;
  const columns = (own: Tensor, all?: Tensor): Tensor =>
    gather === "official" ? stopGradient(all ?? own) : (all ?? own);
  const similarity = (rows: Tensor, all: Tensor): Tensor => rows.matmul(all, { transB: true }).div(temperature);
  const { image, text } = features;
  const imageToText = similarity(image, columns(text, gathered?.text));
  const textToImage = similarity(text, columns(image, gathered?.image));
  const first = gathered?.first ?? 0;
  const target = constant(Int32Array.from({ length: image.size(0) }, (_, b) => first + b));
  const both = crossEntropy(imageToText, target, smoothing).add(crossEntropy(textToImage, target, smoothing));
  return { image, text, imageToText, textToImage, loss: both.mul(0.5) };
}
