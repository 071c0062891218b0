/**
 * What decoder-only language models share: inputs, the key-value cache, grouped attention, and a vocabulary to which rows
 * may have been added. The same code trains (on full sequences) and decodes (new tokens after cached ones).
 *
 * Letters: B sequences, P cached and T new tokens, S = P + T keys, H heads in G groups that share keys and values.
 */
import { ShapeError } from "../base/errors.ts";
import { addDims } from "../graph/dims.ts";
import { concat, type Dim, input, normal, type Params, type Tensor } from "../graph/index.ts";
import { addLowRank } from "./lora.ts";

/** Keys and values of one layer, f32 [B,G,S,Dh] each. */
export interface KeyValue {
  readonly key: Tensor;
  readonly value: Tensor;
}

/** Position of a key that no query may attend to: padding. */
export const HIDDEN_KEY = 2 ** 30;

export interface LmInput {
  /** Ids i32 [B,T], or embeddings f32 [B,T,D]. */
  readonly tokens: Tensor;
  /** i32 [B,T]: position of each token in its own sequence, from 0; any position within the context for padding. */
  readonly positions: Tensor;
  /** i32 [B,S]: positions of all cached and new tokens, HIDDEN_KEY for padding. Without padding or cache: `positions`. */
  readonly keyPositions: Tensor;
  /** One entry per layer. */
  readonly past?: readonly KeyValue[];
}

export interface LmOutput {
  /** f32 [B,T,D], after the final norm. */
  readonly hidden: Tensor;
  /** The cache, extended by the new tokens. */
  readonly present: readonly KeyValue[];
}

/** Sizes of the vocabulary. */
export interface VocabularyConfig {
  /** Tokens of the base model. */
  readonly vocabulary: number;
  /** Tokens added to the base model, with ids from `vocabulary` on. Default 0. */
  readonly addedTokens?: number;
  readonly width: number;
  /** The output weights are the embeddings. */
  readonly tied: boolean;
}

/** Makes the rows of the added tokens of one table, f32 [N,D]; `p` is the scope of that table. */
export type MakeRows = (p: Params, config: VocabularyConfig) => Tensor;

/**
 * How the added rows of both tables are made. Tied models have one table, the embeddings. With "none" as head the model
 * cannot generate the added tokens.
 */
export interface VocabularyRows {
  readonly embeddings: MakeRows;
  readonly head: MakeRows | "none";
}

/** As checkpoints store them: key `added` [N,D]. */
export const addedRows: MakeRows = (p, { addedTokens = 0, width }) =>
  p.get("added", [addedTokens, width], normal(0.02));

export const STORED_ROWS: VocabularyRows = { embeddings: addedRows, head: addedRows };

/** Causal mask: a query attends to keys at or before its position. Additive, f32 [B,1,1,T,S]: 0 or -1e9. */
export function visibility({ positions, keyPositions }: LmInput): Tensor {
  const [B, T, S] = [positions.dim(0), positions.dim(1), keyPositions.dim(1)];
  const hidden = positions.reshape([B, T, 1]).less(keyPositions.reshape([B, 1, S])); // [B,T,S]
  return hidden.cast("f32").mul(-1e9).reshape([B, 1, 1, T, S]);
}

/**
 * q: [B,T,H Dh], keys and values as cached -> [B,T,H Dh]. The heads of a group are rows of one product with its keys, so
 * keys and values are not repeated. Ainslie et al. 2023 (GQA); one head per group is ordinary attention.
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

/** Appends new keys and values [B,T,G Dh] to the cached ones. */
export function extendCache(k: Tensor, v: Tensor, groups: number, past?: KeyValue): KeyValue {
  const split = (x: Tensor): Tensor =>
    x.reshape([x.dim(0), x.dim(1), groups, x.size(2) / groups]).transpose([0, 2, 1, 3]);
  const [key, value] = [split(k), split(v)];
  return past ? { key: concat([past.key, key], 2), value: concat([past.value, value], 2) } : { key, value };
}

/** Token embeddings. ids: i32 [B,T] -> f32 [B,T,D]. Key `weight` [V,D] and those of `rows`. */
export function tokenVectors(p: Params, ids: Tensor, config: VocabularyConfig, rows: MakeRows): Tensor {
  const { vocabulary, addedTokens = 0, width } = config;
  const base = p.get("weight", [vocabulary, width], normal(0.02));
  if (addedTokens === 0) return base.gather(ids);
  const added = rows(p, config);
  const isOld = ids.less(vocabulary).reshape([...ids.shape, 1]);
  // Both tables are indexed within their range; the row that is not selected gets no gradient from `where`.
  return isOld.where(base.gather(ids.minimum(vocabulary - 1)), added.gather(ids.sub(vocabulary).maximum(0)));
}

/** Scopes of the head. */
export interface HeadParams {
  /** Of its weights: `head`, or the embeddings if tied. Keys as in `tokenVectors`. */
  readonly table: Params;
  /** `lm_head`, which may have a low-rank path. */
  readonly head: Params;
}

/** x: f32 [...,D] -> logits f32 [...,V+N]. */
export function tokenLogits(
  { table, head }: HeadParams,
  x: Tensor,
  config: VocabularyConfig,
  rows: VocabularyRows,
): Tensor {
  const { vocabulary, addedTokens = 0, width, tied } = config;
  const old = addLowRank(head, x, x.linear(table.get("weight", [vocabulary, width], normal(0.02))));
  if (addedTokens === 0 || rows.head === "none") return old;
  const makeRows = tied ? rows.embeddings : rows.head;
  return concat([old, x.linear(makeRows(table, config))], -1);
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
