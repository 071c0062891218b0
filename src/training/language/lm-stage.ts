/**
 * Stages of a language model: the next token of texts, all of it or only what is marked (answers, captions, codes, what
 * follows a list). With LoRA the base is frozen, and new rows of the vocabulary and the norms learn next to the thin
 * matrices. arXiv 2307.08041 section 3.3.
 */

import type { Rng } from "../../base/rng.ts";
import { concat, constant, input, Params, type Tensor } from "../../graph/index.ts";
import { HIDDEN_KEY, lmInput, type VocabularyRows } from "../../models/causal-lm.ts";
import { PICTURE_MARKS } from "../../models/code-rows.ts";
import { FEATURES, featureIds, featureRows } from "../../models/feature-rows.ts";
import { languageModel, languageModelLogits, languageModelWeights } from "../../models/language-model.ts";
import type { LmConfig } from "../../models/lm-config.ts";
import { isLoraPath, type LoraConfig, LoraParams } from "../../models/lora.ts";
import { labeledCrossEntropy } from "../../nn/index.ts";
import { mapWeights, type Runtime, type Values, type WeightSource } from "../../runtime/index.ts";
import type { EncodedChat } from "../../text/index.ts";
import type { Stage } from "../loop/loop.ts";
import { type Part, partOf, rowsOfPart } from "../loop/shares.ts";
import { numberOf } from "../loop/values.ts";
import type { WholeBatch } from "../loop/whole-batch.ts";

/** Texts as ids, indexed by an unbounded counter; `learned` marks the ids that the model has to predict. */
export interface Sequences {
  /** Names them: part of the identity of a run. */
  readonly identity: string;
  get(index: number): TextSequence | Promise<TextSequence>;
  /** Vectors of pictures, if these are what the model sees: f32 [rows.length Q W], zeros for undefined. */
  features?(pictures: readonly (number | undefined)[]): Promise<Float32Array>;
}

export interface TextSequence extends EncodedChat {
  /** The picture whose vectors it has, where pictures are vectors. */
  readonly picture?: number;
}

/** Sizes of pictures that are seen as vectors. */
export interface FeatureSizes {
  /** Vectors of a picture, Q. */
  readonly queries: number;
  /** W */
  readonly width: number;
}

export interface LmStageOptions {
  readonly name: string;
  readonly config: LmConfig;
  /** How rows of added tokens are made while they are learned. Default: as they are stored. */
  readonly rows?: VocabularyRows;
  /** Pictures are vectors in place of added tokens with rows of their own, and no sequence has more than one. */
  readonly features?: FeatureSizes | undefined;
  /** Tokens of a sequence; longer ones lose their end, shorter ones are padded. */
  readonly length: number;
  readonly train: Sequences;
  readonly validation: Sequences;
  readonly validationCount: number;
  /** Other sequences that are measured, each as `<name>Nats`: parts of the validation, or what it is compared with. */
  readonly beside?: Readonly<Record<string, Sequences>>;
  readonly runtime: Runtime;
  /** Without it the whole model learns. */
  readonly adapter?: { readonly lora: LoraConfig; readonly base: WeightSource };
  /** First values of what learns; norms of an adapter must be among them, as the base has them. */
  readonly start?: ReadonlyMap<string, Float32Array>;
  /** Factor on the rate of added rows. Default 1. */
  readonly rowsRate?: number;
  /**
   * Learned positions for which a batch has room, on average of its sequences; only their logits are computed. Positions
   * beyond that are not learned in that step. Default: the length, so that there is room for all.
   */
  readonly room?: number;
  /**
   * Nats by which the logits of codes are raised where the label is a word, and those of words where it is a code, so that
   * the model learns to tell the two kinds apart with certainty. Not applied in evaluations. Default 0.
   */
  readonly kindMargin?: number;
}

/** Not counted by the loss. */
const NO_LABEL = -100;

/** A batch has room for the most learned positions among this many batches, times this factor. */
const [MEASURED_BATCHES, SPARE_ROOM] = [40, 1.1];

/** What learns on a frozen base: low-rank matrices, added rows, norms. */
export function adapterPaths(config: LmConfig, lora: LoraConfig, rows?: VocabularyRows): string[] {
  const beside = /(norm\.(weight|bias)|\.added|\.shared|\.marks|\.(code|feature)_projection\.(weight|bias))$/;
  const paths = languageModelWeights(config, new LoraParams(lora), rows).map(([path]) => path);
  return paths.filter((path) => isLoraPath(path) || beside.test(path));
}

export function lmStage(options: LmStageOptions): Stage {
  const { name, config, length: T, train, adapter, start, rowsRate = 1, room = T, kindMargin = 0 } = options;
  const noiseWidth = Math.max(config.width, config.intermediate);
  const drops = (adapter?.lora.dropout ?? 0) > 0;
  const noise = (B: number): Tensor => input("noise", [B, T, noiseWidth]);
  return {
    name,
    learns: adapter ? adapterPaths(config, adapter.lora, rowsOf(options, 1)) : topNames(config),
    frozen: adapter?.base,
    start,
    rateScale: (path) => (path.endsWith(".added") ? rowsRate : 1),
    params: (B) => (adapter ? new LoraParams(adapter.lora, drops ? { noise: noise(B) } : {}) : new Params()),
    build: (p, B, { divisor }) => ({
      loss: nextTokenLoss(p, config, [B, T, B * room], { rows: rowsOf(options, B), margin: kindMargin, divisor }).loss,
    }),
    async batch(part, rng) {
      const feeds = await batchOf(train, part.examples, options, part.examples.length * room);
      return drops ? { ...feeds, noise: noiseValue(part, [T, noiseWidth], rng) } : feeds;
    },
    evaluate: (weights) => perplexity(weights, options),
  };
}

/** How rows of added tokens are made in a batch of B sequences. */
function rowsOf({ rows, features }: LmStageOptions, B: number): VocabularyRows | undefined {
  return features ? featureRows(B * features.queries, features.width) : rows;
}

/** Feeds of sequences by number. */
async function batchOf(
  from: Sequences,
  indices: readonly number[],
  { length: T, features, config: { vocabulary } }: LmStageOptions,
  M = indices.length * T,
): Promise<Values> {
  const B = indices.length;
  const sequences = await Promise.all(indices.map((index) => from.get(index)));
  if (!features || !from.features) return feedsOf(sequences, T, M);
  const { queries, width } = features;
  const placed = sequences.map(({ ids, learned }, b) => ({
    ids: featureIds(ids, b, { vocabulary, queries }),
    learned,
  }));
  const data = await from.features(sequences.map(({ picture }) => picture));
  return { ...feedsOf(placed, T, M), [FEATURES]: { shape: [B * queries, width], data } };
}

function topNames(config: LmConfig): string[] {
  return [...new Set(languageModelWeights(config).map(([path]) => path.replace(/\..*/, "")))];
}

/** Over M learned positions of B sequences of T tokens. */
function nextTokenLoss(
  p: Params,
  config: LmConfig,
  [B, T, M]: readonly [number, number, number],
  {
    rows,
    margin = 0,
    divisor,
  }: {
    readonly rows: VocabularyRows | undefined;
    readonly margin?: number;
    readonly divisor?: WholeBatch["divisor"];
  },
): { loss: Tensor; count: Tensor } {
  const { hidden } = languageModel(p, lmInput(config, { batch: B, tokens: T }), config, rows);
  const labels = input("labels", [M], "i32");
  const learned = hidden.reshape([B * T, config.width]).gather(input("indices", [M], "i32"));
  const logits = languageModelLogits(p, learned, config, rows);
  const raised = margin > 0 ? logits.add(otherKind(labels, config).mul(margin)) : logits;
  return { loss: labeledCrossEntropy(raised, labels, divisor), count: labels.less(0).cast("f32").neg().add(1).sum() };
}

/** 1 for codes where the label is not a code, and for all other tokens where it is. labels: i32 [M] -> f32 [M,V]. */
function otherKind(labels: Tensor, { vocabulary, addedTokens = 0 }: LmConfig): Tensor {
  const [V, end] = [vocabulary + addedTokens, vocabulary + Math.max(addedTokens - PICTURE_MARKS, 0)];
  const kinds = new Float32Array(2 * V); // codes, then words and marks
  for (let id = 0; id < V; id++) kinds[id >= vocabulary && id < end ? id : V + id] = 1;
  const isCode = labels.less(end).cast("f32").mul(labels.less(vocabulary).cast("f32").neg().add(1)).reshape([-1, 1]);
  return concat([isCode.neg().add(1), isCode], 1).matmul(constant(kinds).reshape([2, V]));
}

/** Room of a share of a batch, in learned positions a sequence: the most among the first batches, and some more. */
export async function roomFor(sequences: Sequences, batch: number, length: number, shares = 1): Promise<number> {
  let most = 0;
  for (let micro = 0; micro < MEASURED_BATCHES; micro++)
    for (let share = 0; share < shares; share++) {
      const { examples } = partOf(micro, batch, share, shares);
      const all = await Promise.all(examples.map((index) => sequences.get(index)));
      const count = all.reduce((sum, { learned }) => sum + learned.slice(1, length + 1).filter(Boolean).length, 0);
      most = Math.max(most, count);
    }
  return Math.min(length, Math.ceil((SPARE_ROOM * most * shares) / batch));
}

/**
 * Ids and positions of a batch, i32 [B,T] each; and i32 [M] each, the `indices` of learned tokens in it, counted row by row,
 * and their `labels`, the next ids. M is B T by default.
 */
export function feedsOf(sequences: readonly EncodedChat[], T: number, M = sequences.length * T): Values {
  const B = sequences.length;
  const filled = (value: number, length = B * T): Int32Array => new Int32Array(length).fill(value);
  const [ids, positions, keyPositions] = [filled(0), filled(0), filled(HIDDEN_KEY)];
  const [indices, labels] = [filled(0, M), filled(NO_LABEL, M)];
  let learned = 0;
  for (const [b, sequence] of sequences.entries()) {
    for (let t = 0; t < Math.min(T, sequence.ids.length); t++) {
      const at = b * T + t;
      ids[at] = sequence.ids[t]!;
      positions[at] = t;
      keyPositions[at] = t;
      if (!sequence.learned[t + 1] || learned === M) continue;
      indices[learned] = at;
      labels[learned++] = sequence.ids[t + 1]!;
    }
  }
  const value = (data: Int32Array, shape = [B, T]): Values[string] => ({ shape, data });
  return {
    ids: value(ids),
    positions: value(positions),
    keyPositions: value(keyPositions),
    indices: value(indices, [M]),
    labels: value(labels, [M]),
  };
}

function noiseValue(part: Part, row: readonly number[], rng: Rng): Values[string] {
  const data = new Float32Array(row.reduce((a, b) => a * b, part.of));
  for (let i = 0; i < data.length; i++) data[i] = rng.next();
  return { shape: [part.rows.length, ...row], data: rowsOfPart(data, part) };
}

/** Mean loss of the learned tokens of the validation texts, its exp, and the mean losses of the other sequences. */
async function perplexity(
  weights: ReadonlyMap<string, Float32Array>,
  options: LmStageOptions,
): Promise<Record<string, number>> {
  const { config, length, validation, validationCount, beside = {}, runtime, adapter } = options;
  const B = Math.min(8, validationCount);
  const p = adapter ? new LoraParams({ ...adapter.lora, dropout: 0 }) : new Params();
  const own = mapWeights(weights);
  const source = adapter ? { ...adapter.base, get: (path: string) => own.get(path) ?? adapter.base.get(path) } : own;
  const loss = nextTokenLoss(p, config, [B, length, B * length], { rows: rowsOf(options, B) });
  const program = await runtime.compile({ ...loss }, source);
  const mean = async (from: Sequences): Promise<{ nats: number; tokens: number }> => {
    let [sum, tokens] = [0, 0];
    for (let at = 0; at + B <= validationCount; at += B) {
      const indices = Array.from({ length: B }, (_, b) => at + b);
      const outputs = await program.run(await batchOf(from, indices, options));
      sum += numberOf(outputs, "loss") * numberOf(outputs, "count");
      tokens += numberOf(outputs, "count");
    }
    return { nats: sum / Math.max(tokens, 1), tokens };
  };
  const { nats, tokens } = await mean(validation);
  const scores: Record<string, number> = { nats, perplexity: Math.exp(nats), tokens };
  for (const [name, sequences] of Object.entries(beside)) scores[`${name}Nats`] = (await mean(sequences)).nats;
  await program.close();
  return scores;
}
