/** The contrast of pictures with captions, and with changed captions where there are any, as stage `clip` and stages 1 and 2 use it. */
import { constant, type Tensor } from "../../graph/index.ts";
import { inOnePiece, type WholeBatch } from "../loop/whole-batch.ts";
import { contrast } from "./contrast.ts";
import { hardContrast } from "./hard-negatives.ts";
import type { LossTerm } from "./terms.ts";

export interface TextContrast {
  readonly terms: readonly LossTerm[];
  /** Share of pictures nearer to their caption than to the changed one; none without changed captions. */
  readonly metrics: Readonly<Record<string, Tensor>>;
}

/**
 * image, caption, changed: f32 [B,F], unit vectors; temperature: f32 []. Terms `contrast` and, with changed captions,
 * `pairs`. Candidates are those of the whole batch.
 */
export function textContrast(
  features: { readonly image: Tensor; readonly caption: Tensor; readonly changed?: Tensor | undefined },
  temperature: Tensor,
  weights: { readonly contrast: number; readonly pairs: number },
  smoothing: number,
  whole: WholeBatch = inOnePiece,
): TextContrast {
  const [image, caption] = [whole.rows(features.image), whole.rows(features.caption)];
  const changed = features.changed && whole.rows(features.changed);
  if (!changed) {
    const { loss } = contrast({ image, text: caption }, temperature, { smoothing });
    return { terms: [["contrast", loss, weights.contrast]], metrics: {} };
  }
  const hard = hardContrast(image, caption, changed, constant(1).div(temperature), smoothing);
  return {
    terms: [
      ["contrast", hard.contrast, weights.contrast],
      ["pairs", hard.pairs, weights.pairs],
    ],
    metrics: { pairsRight: hard.pairsRight },
  };
}
