/**
 * Layout labels: one linear head reads which object covers each patch, and which background color lies behind each cell,
 * from the embedding of a picture and, the same head, from that of its caption. Contrast alone stays on a plateau: while
 * captions that differ in order have equal embeddings, no gradient asks pictures to tell them apart, and the other way
 * round. Here each side learns order by itself, and both in the same coordinates. Ours; only trained with.
 */
import { normal, type Params, type Tensor } from "../../graph/index.ts";
import { crossEntropy, linear } from "../../nn/index.ts";

/** What the labels can be. */
export interface LayoutSizes {
  /** Object names; label 0 is "none", label i the name i - 1. */
  readonly objects: number;
  /** Background colors. */
  readonly colors: number;
}

export interface LayoutLabels {
  /** i32 [B,P]: the object of each patch. */
  readonly objects: Tensor;
  /** i32 [B,Q]: the background color of each cell, row by row. */
  readonly colors: Tensor;
}

/** Unit vectors are scaled to deviation 1, so that the heads start with the usual gain. */
const deviationOne = (unit: Tensor): Tensor => unit.mul(unit.size(-1) ** 0.5);

/**
 * Mean cross entropies over patches and over cells. embedding: f32 [B,F], unit vectors -> f32 [] each.
 * Keys `objects`, `colors`.
 */
export function layoutLoss(
  p: Params,
  embedding: Tensor,
  labels: LayoutLabels,
  { objects, colors }: LayoutSizes,
): { readonly objects: Tensor; readonly colors: Tensor } {
  const x = deviationOne(embedding);
  const term = (name: string, targets: Tensor, classes: number): Tensor => {
    const [B, cells] = [targets.size(0), targets.size(1)];
    const logits = linear(p.at(name), x, cells * classes, { init: normal(x.size(-1) ** -0.5) });
    return crossEntropy(logits.reshape([B * cells, classes]), targets.reshape([B * cells]));
  };
  return { objects: term("objects", labels.objects, objects + 1), colors: term("colors", labels.colors, colors) };
}
