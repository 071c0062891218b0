/**
 * What decoder-only language models share: their inputs, the key-value cache, grouped attention, and a vocabulary whose
 * last rows may have been added later. One code for training (a full sequence) and decoding (new tokens after cached ones).
 *
 * Letters: B sequences, P cached and T new tokens, S = P + T keys, H heads in G groups that share keys and values.
 */
import { ShapeError } from "../base/errors.ts";
import { addDims } from "../graph/dims.ts";
import { concat, type Dim, input, normal, type Params, type Tensor, zeros } from "../graph/index.ts";
import { linear } from "../nn/index.ts";

/** Keys and values of one layer, f32 [B,G,S,Dh] each. */
export interface KeyValue {
  readonly key: Tensor;
  readonly value: Tensor;
}

/** Place of a key that nobody may look at: padding. */
export const HIDDEN_KEY = 2 ** 30;

export interface LmInput {
  /** Ids i32 [B,T], or vectors in their place f32 [B,T,D]. */
  readonly tokens: Tensor;
  /** i32 [B,T]: place of each token in its own sequence, counted from 0; any place within the context for padding. */
  readonly positions: Tensor;
  /** i32 [B,S]: places of all cached and new tokens, HIDDEN_KEY for padding. Without padding or cache: `positions`. */
  readonly keyPositions: Tensor;
  /** One entry a layer. */
  readonly past?: readonly KeyValue[];
}

export interface LmOutput {
  /** f32 [B,T,D], after the final norm. */
  readonly hidden: Tensor;
  /** The cache with the new tokens behind the old ones. */
  readonly present: readonly KeyValue[];
}

/** Sizes of the vocabulary. */
export interface VocabularyConfig {
  /** Tokens of the base model. */
  readonly vocabulary: number;
  /** Rows learned beside the base, with ids from `vocabulary` on. Default 0. */
  readonly addedTokens?: number;
  readonly width: number;
  /** The output weights are the embeddings. */
  readonly tied: boolean;
  /**
   * The vectors of codes are a learned projection of the codebook's vectors, which have this width, as in SEED's first
   * language model (arXiv 2307.08041 section 3.3). Only while it learns: what comes out is stored as added rows.
   */
  readonly projectedFrom?: number;
  /**
   * One learned vector is added to all added rows, so that what they have in common, that they are no words, is learned
   * from all of them at once. Only while it learns: it is added to the rows that are stored.
   */
  readonly sharedVector?: boolean;
}

/** Two added tokens are no codes: begin and end of a picture, behind the codes. */
export const PICTURE_MARKS = 2;

/** A key is seen from places that are not before it. Additive, f32 [B,1,1,T,S]: 0 or so low that softmax gives 0. */
export function visibility({ positions, keyPositions }: LmInput): Tensor {
  const [B, T, S] = [positions.dim(0), positions.dim(1), keyPositions.dim(1)];
  const hidden = positions.reshape([B, T, 1]).less(keyPositions.reshape([B, 1, S])); // [B,T,S]
  return hidden.cast("f32").mul(-1e9).reshape([B, 1, 1, T, S]);
}

/**
 * q: [B,T,H Dh], keys and values as cached -> [B,T,H Dh]. Heads of a group are rows of one product with its keys, so
 * keys and values are not repeated. Ainslie et al. 2023 (GQA); one head a group is ordinary attention.
 */
export function groupedAttention(q: Tensor, { key, value }: KeyValue, heads: number, mask: Tensor): Tensor {
  const [B, T, S, G, Dh] = [q.dim(0), q.dim(1), key.dim(2), key.size(1), key.size(3)];
  if (heads % G !== 0) throw new ShapeError(`attention: expected heads in ${G} groups, got ${heads}. Check LmConfig.`);
  const R = heads / G;
  const rows = q.reshape([B, T, G, R, Dh]).transpose([0, 2, 3, 1, 4]).reshape([B, G, -1, Dh]); // [B,G,R T,Dh]
  const scores = rows.matmul(key, { transB: true, alpha: Dh ** -0.5 }).reshape([B, G, R, T, S]);
  const att = scores.add(mask).softmax().reshape([B, G, -1, S]);
  const out = att.matmul(value).reshape([B, G, R, T, Dh]);
  return out.transpose([0, 3, 1, 2, 4]).reshape([B, T, heads * Dh]);
}

/** New keys and values [B,T,G Dh] behind the cached ones. */
export function extendCache(k: Tensor, v: Tensor, groups: number, past?: KeyValue): KeyValue {
  const split = (x: Tensor): Tensor =>
    x.reshape([x.dim(0), x.dim(1), groups, x.size(2) / groups]).transpose([0, 2, 1, 3]);
  const [key, value] = [split(k), split(v)];
  return past ? { key: concat([past.key, key], 2), value: concat([past.value, value], 2) } : { key, value };
}

/** Rows of added tokens, f32 [N,D]. Key `added`, and `shared` [1,D] if they share a vector. */
function learnedRows(p: Params, { addedTokens = 0, width, sharedVector }: VocabularyConfig): Tensor {
  const rows = p.get("added", [addedTokens, width], normal(0.02));
  return sharedVector ? rows.add(p.get("shared", [1, width], zeros)) : rows;
}

/** As `learnedRows`, or projected: `code_projection.*`, `marks` [2,D] and the codebook itself, `codebook` [N-2,E]. */
function addedRows(p: Params, config: VocabularyConfig): Tensor {
  const { addedTokens = 0, width, projectedFrom } = config;
  if (!projectedFrom) return learnedRows(p, config);
  const table = p.get("codebook", [addedTokens - PICTURE_MARKS, projectedFrom], normal(1));
  const codes = linear(p.at("code_projection"), table, width, { init: normal(0.02) });
  return concat([codes, p.get("marks", [PICTURE_MARKS, width], normal(0.02))], 0);
}

/** Rows of the vocabulary. ids: i32 [B,T] -> f32 [B,T,D]. Key `weight` [V,D] and those of `addedRows`. */
export function tokenVectors(p: Params, ids: Tensor, config: VocabularyConfig): Tensor {
  const { vocabulary, addedTokens = 0, width } = config;
  const base = p.get("weight", [vocabulary, width], normal(0.02));
  if (addedTokens === 0) return base.gather(ids);
  const added = addedRows(p, config);
  const isOld = ids.less(vocabulary).reshape([...ids.shape, 1]);
  // Each id is brought into the range of both tables; the row that does not count gets no gradient from `where`.
  return isOld.where(base.gather(ids.minimum(vocabulary - 1)), added.gather(ids.sub(vocabulary).maximum(0)));
}

/** x: f32 [...,D] -> logits f32 [...,V+N]. Keys as in `tokenVectors`: of the embeddings if tied, else of the head. */
export function tokenLogits(p: Params, x: Tensor, config: VocabularyConfig): Tensor {
  const { vocabulary, addedTokens = 0, width, tied } = config;
  const old = x.linear(p.get("weight", [vocabulary, width], normal(0.02)));
  if (addedTokens === 0) return old;
  // An output matrix of its own has rows of its own for the codes.
  const rows = tied ? addedRows(p, config) : learnedRows(p, config);
  return concat([old, x.linear(rows)], -1);
}

/** Inputs of a graph: `ids`, `positions`, `keyPositions`, and with a cache `past.i.key`, `past.i.value`. */
export function lmInput(
  { layers, kvHeads, headWidth }: { readonly layers: number; readonly kvHeads: number; readonly headWidth: number },
  { batch, tokens, cached }: { readonly batch: Dim; readonly tokens: Dim; readonly cached?: Dim },
): LmInput {
  const ids = input("ids", [batch, tokens], "i32");
  const positions = input("positions", [batch, tokens], "i32");
  const keys = input("keyPositions", [batch, cached === undefined ? tokens : addDims(cached, tokens)], "i32");
  if (cached === undefined) return { tokens: ids, positions, keyPositions: keys };
  const part = (i: number, name: string): Tensor => input(`past.${i}.${name}`, [batch, kvHeads, cached, headWidth]);
  const past = Array.from({ length: layers }, (_, i) => ({ key: part(i, "key"), value: part(i, "value") }));
  return { tokens: ids, positions, keyPositions: keys, past };
}
