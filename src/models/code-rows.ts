/**
 * Rows of image tokens while they are learned. The result is stored as plain added rows (`addedRows`), so that PEFT, and
 * every other reader of a vocabulary, needs to know nothing of how they were made.
 */
import { concat, normal, zeros } from "../graph/index.ts";
import { linear } from "../nn/index.ts";
import { addedRows, type MakeRows, type VocabularyRows } from "./causal-lm.ts";

/** Begin and end of an image, `<img>` and `</img>`, which follow the codes. */
export const PICTURE_MARKS = 2;

/**
 * One learned vector is added to all rows, so that what they have in common, that they are not words, is learned from all
 * of them at once. Keys `added` [N,D] and `shared` [1,D].
 */
const withSharedVector: MakeRows = (p, config) => addedRows(p, config).add(p.get("shared", [1, config.width], zeros));

export const SHARED_ROWS: VocabularyRows = { embeddings: withSharedVector, head: withSharedVector };

/**
 * The same, and a learned projection of the codebook's vectors is added to the rows of codes: similar codes are read
 * alike, although each occurs rarely, and can still differ. It begins at zero, so that rows begin unchanged. Ours.
 * Keys besides those above: `codebook` [N-2,E] and `code_projection.weight` [D,E].
 * @param codeWidth E
 */
export function alikeRows(codeWidth: number): VocabularyRows {
  const alike: MakeRows = (p, config) => {
    const { addedTokens = 0, width } = config;
    const codebook = p.get("codebook", [addedTokens - PICTURE_MARKS, codeWidth], normal(1));
    const codes = linear(p.at("code_projection"), codebook, width, { bias: false, init: zeros });
    return withSharedVector(p, config).add(codes.pad(0, 0, PICTURE_MARKS));
  };
  return { embeddings: alike, head: alike };
}

/**
 * SEED's first language model: the rows of codes are a learned projection of the codebook's vectors. A separate head has
 * plain rows. Keys `codebook` [N-2,E], `code_projection.*` and `marks` [2,D]. arXiv 2307.08041 section 3.3.
 * @param codeWidth E
 */
export function projectedRows(codeWidth: number): VocabularyRows {
  const embeddings: MakeRows = (p, { addedTokens = 0, width }) => {
    const codebook = p.get("codebook", [addedTokens - PICTURE_MARKS, codeWidth], normal(1));
    const codes = linear(p.at("code_projection"), codebook, width, { init: normal(0.02) });
    return concat([codes, p.get("marks", [PICTURE_MARKS, width], normal(0.02))], 0);
  };
  return { embeddings, head: addedRows };
}
