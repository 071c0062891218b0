/**
 * Layout labels: one linear head reads which object covers each patch, and which background color is behind each cell,
 * from the embedding of a picture and, the same head, from that of its caption. Contrast alone stays on a plateau: while
 * captions that differ in order have equal embeddings, no gradient makes pictures tell them apart, and vice versa. Here
 * each side learns order by itself, and both in the same coordinates. Ours; used in training only.
 */
import { BACKGROUND_NAMES } from "../../data/colors.ts";
import { normal, type Params, type Tensor } from "../../graph/index.ts";
import { crossEntropy, labeledCrossEntropy, linear } from "../../nn/index.ts";
import type { Value } from "../../runtime/index.ts";
import type { Picture } from "../data/pictures.ts";
import { inOnePiece, type WholeBatch } from "../loop/whole-batch.ts";

/** Name prefix of the parameters that only this loss and word locations have. */
export const LAYOUT = "layout";
/** Rows and columns of the cells whose background color is asked for, and how many colors there are. */
export const BACKGROUND_GRID = 4;
export const BACKGROUND_COLORS = BACKGROUND_NAMES.length;

/** The color behind each cell, row by row: of a fade the nearer one. i32 [B,16]. */
export function backgroundLabels(pictures: readonly Picture[]): Value {
  const cells = BACKGROUND_GRID ** 2;
  const data = new Int32Array(pictures.length * cells);
  for (const [b, { background }] of pictures.entries()) {
    if (!background) continue;
    for (let i = 0; i < cells; i++) {
      const along = background.direction === "right" ? i % BACKGROUND_GRID : Math.floor(i / BACKGROUND_GRID);
      const name = along < BACKGROUND_GRID / 2 ? background.from : background.to;
      data[b * cells + i] = BACKGROUND_NAMES.indexOf(name);
    }
  }
  return { shape: [pictures.length, cells], data };
}

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

export interface LayoutTerms {
  /** Mean over the patches that an object covers: which is where, without the many patches that are empty. */
  readonly covered: Tensor;
  /** Mean over all patches: how large and how many. */
  readonly patches: Tensor;
  /** Mean over the cells of the background. */
  readonly colors: Tensor;
}

/** Cross entropies, nats. embedding: f32 [B,F], unit vectors -> f32 [] each. Keys `objects`, `colors`. */
export function layoutLoss(
  p: Params,
  embedding: Tensor,
  labels: LayoutLabels,
  { objects, colors }: LayoutSizes,
  whole: WholeBatch = inOnePiece,
): LayoutTerms {
  const x = deviationOne(embedding);
  const logits = (name: string, targets: Tensor, classes: number): Tensor => {
    const flat = linear(p.at(name), x, targets.size(1) * classes, { init: normal(x.size(-1) ** -0.5) });
    return flat.reshape([targets.size(0) * targets.size(1), classes]);
  };
  const flat = (t: Tensor): Tensor => t.reshape([t.size(0) * t.size(1)]);
  const [object, color] = [flat(labels.objects), flat(labels.colors)];
  const named = logits("objects", labels.objects, objects + 1);
  return {
    // 0, "none", becomes -1: not counted.
    covered: labeledCrossEntropy(named, object.sub(object.less(1).cast("i32")), whole.divisor),
    patches: crossEntropy(named, object),
    colors: crossEntropy(logits("colors", labels.colors, colors), color),
  };
}

/** covered + 0.3 patches + 0.3 colors. */
export function layoutSum({ covered, patches, colors }: LayoutTerms): Tensor {
  return covered.add(patches.add(colors).mul(0.3));
}
