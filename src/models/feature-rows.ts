/**
 * Pictures as continuous vectors among the words, as BLIP-2 feeds them to its language model: each vector through one
 * linear layer takes the place of a token. They are rows of added tokens that are not stored but come with each batch, so
 * that the rest of the model and of generation need not know about them. Li et al. 2023, section 3.2.
 */
import { concat, type Dim, input, normal, type Params, type Tensor } from "../graph/index.ts";
import { linear } from "../nn/index.ts";
import type { VocabularyRows } from "./causal-lm.ts";
import { PICTURE_MARKS } from "./code-rows.ts";

/** Name of the input, f32 [N,W]: the vectors of all pictures, one after the other. */
export const FEATURES = "features";

/**
 * Added token 0 is `<img>`, 1 is `</img>`, and 2 + n is vector n. The model cannot generate them: the head has no rows for them.
 * Keys `marks` [2,D], `feature_projection.weight` [D,W] and `.bias`.
 * @param count N @param width W
 */
export function featureRows(count: Dim, width: number): VocabularyRows {
  const embeddings = (p: Params, { width: D }: { readonly width: number }): Tensor => {
    const marks = p.get("marks", [PICTURE_MARKS, D], normal(0.02));
    const vectors = linear(p.at("feature_projection"), input(FEATURES, [count, width]), D, { init: normal(0.02) });
    return concat([marks, vectors], 0);
  };
  return { embeddings, head: "none" };
}

/** The ids of a sequence, written by a tokenizer with Q image tokens, that refer to the vectors of picture `index` of a batch. */
export function featureIds(
  ids: readonly number[],
  index: number,
  { vocabulary, queries }: { readonly vocabulary: number; readonly queries: number },
): number[] {
  return ids.map((id) => {
    const added = id - vocabulary;
    if (added < 0) return id;
    return vocabulary + (added >= queries ? added - queries : PICTURE_MARKS + index * queries + added);
  });
}
