/**
 * Stages of a language model: the next token of texts with pictures in them, all of it (`lm-pretrain`) or only what is
 * marked (answers, captions, codes). With LoRA the base is frozen, and new rows of the vocabulary and the norms learn
 * beside the thin matrices. arXiv 2307.08041 section 3.3; seed-facts section 11.
 */
import { input, Params, type Tensor } from "../graph/index.ts";
import { HIDDEN_KEY, lmInput } from "../models/causal-lm.ts";
import { languageModel, languageModelLogits, languageModelWeights } from "../models/language-model.ts";
import type { LmConfig } from "../models/lm-config.ts";
import { isLoraPath, type LoraConfig, LoraParams } from "../models/lora.ts";
import { labelledCrossEntropy } from "../nn/index.ts";
import type { Rng } from "../rng.ts";
import { mapWeights, type Runtime, type Values, type WeightSource } from "../runtime/index.ts";
import type { EncodedChat } from "../text/index.ts";
import type { Stage } from "./loop.ts";

/** Texts as ids, reached by a number that grows for ever; `learned` marks the ids that the model has to say. */
export interface Sequences {
  /** Says what they are: part of the identity of a run. */
  readonly identity: string;
  get(index: number): EncodedChat | Promise<EncodedChat>;
}

export interface LmStageOptions {
  readonly name: string;
  readonly config: LmConfig;
  /** Tokens of a sequence; longer ones lose their end, shorter ones are padded. */
  readonly length: number;
  readonly train: Sequences;
  readonly validation: Sequences;
  readonly validationCount: number;
  /** Other sequences that are measured beside, each as `<name>Nats`: parts of the validation, or what it is compared with. */
  readonly beside?: Readonly<Record<string, Sequences>>;
  readonly runtime: Runtime;
  /** Without it the whole model learns. */
  readonly adapter?: { readonly lora: LoraConfig; readonly base: WeightSource };
  /** First values of what learns; norms of an adapter must be among them, as the base has them. */
  readonly start?: ReadonlyMap<string, Float32Array>;
  /** Factor on the rate of added rows. Default 1. */
  readonly rowsRate?: number;
}

/** Not counted by the loss. */
const NO_LABEL = -100;

/** What learns beside a frozen base: thin matrices, added rows, norms. */
export function adapterPaths(config: LmConfig, lora: LoraConfig): string[] {
  const beside = /(norm\.(weight|bias)|\.added|\.marks|\.code_projection\.(weight|bias))$/;
  const paths = languageModelWeights(config, new LoraParams(lora)).map(([path]) => path);
  return paths.filter((path) => isLoraPath(path) || beside.test(path));
}

export function lmStage(options: LmStageOptions): Stage {
  const { name, config, length: T, train, adapter, start, rowsRate = 1 } = options;
  const noiseWidth = Math.max(config.width, config.intermediate);
  const drops = (adapter?.lora.dropout ?? 0) > 0;
  const noise = (B: number): Tensor => input("noise", [B, T, noiseWidth]);
  return {
    name,
    learns: adapter ? adapterPaths(config, adapter.lora) : topNames(config),
    ...(adapter ? { frozen: adapter.base } : {}),
    ...(start ? { start } : {}),
    rateScale: (path) => (path.endsWith(".added") ? rowsRate : 1),
    params: (B) => (adapter ? new LoraParams(adapter.lora, drops ? { noise: noise(B) } : {}) : new Params()),
    build: (p, B) => ({ loss: nextTokenLoss(p, config, B, T).loss }),
    async batch(micro, B, rng) {
      const feeds = feedsOf(await Promise.all(Array.from({ length: B }, (_, b) => train.get(micro * B + b))), T);
      return drops ? { ...feeds, noise: noiseValue([B, T, noiseWidth], rng) } : feeds;
    },
    evaluate: (weights) => perplexity(weights, options),
  };
}

function topNames(config: LmConfig): string[] {
  return [...new Set(languageModelWeights(config).map(([path]) => path.split(".")[0]!))];
}

function nextTokenLoss(p: Params, config: LmConfig, B: number, T: number): { loss: Tensor; count: Tensor } {
  const { hidden } = languageModel(p, lmInput(config, { batch: B, tokens: T }), config);
  const labels = input("labels", [B, T], "i32").reshape([B * T]);
  const logits = languageModelLogits(p, hidden.reshape([B * T, config.width]), config);
  return { loss: labelledCrossEntropy(logits, labels), count: labels.less(0).cast("f32").neg().add(1).sum() };
}

/** Ids, places and labels of a batch: i32 [B,T] each; the label of a place is the next id if that one is learned. */
export function feedsOf(sequences: readonly EncodedChat[], T: number): Values {
  const B = sequences.length;
  const filled = (value: number): Int32Array => new Int32Array(B * T).fill(value);
  const [ids, positions, keyPositions, labels] = [filled(0), filled(0), filled(HIDDEN_KEY), filled(NO_LABEL)];
  for (const [b, sequence] of sequences.entries()) {
    for (let t = 0; t < Math.min(T, sequence.ids.length); t++) {
      const at = b * T + t;
      ids[at] = sequence.ids[t]!;
      positions[at] = t;
      keyPositions[at] = t;
      if (sequence.learned[t + 1]) labels[at] = sequence.ids[t + 1]!;
    }
  }
  const value = (data: Int32Array): Values[string] => ({ shape: [B, T], data });
  return {
    ids: value(ids),
    positions: value(positions),
    keyPositions: value(keyPositions),
    labels: value(labels),
  };
}

function noiseValue(shape: readonly number[], rng: Rng): Values[string] {
  const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
  for (let i = 0; i < data.length; i++) data[i] = rng.next();
  return { shape, data };
}

/** Mean loss of the learned tokens of the validation texts and its exp, and the means of what is measured beside. */
async function perplexity(
  weights: ReadonlyMap<string, Float32Array>,
  { config, length, validation, validationCount, beside = {}, runtime, adapter }: LmStageOptions,
): Promise<Record<string, number>> {
  const B = Math.min(8, validationCount);
  const p = adapter ? new LoraParams({ ...adapter.lora, dropout: 0 }) : new Params();
  const own = mapWeights(weights);
  const source = adapter ? { ...adapter.base, get: (path: string) => own.get(path) ?? adapter.base.get(path) } : own;
  const program = await runtime.compile({ ...nextTokenLoss(p, config, B, length) }, source);
  const mean = async (from: Sequences): Promise<{ nats: number; tokens: number }> => {
    let [sum, tokens] = [0, 0];
    for (let at = 0; at + B <= validationCount; at += B) {
      const sequences = await Promise.all(Array.from({ length: B }, (_, b) => from.get(at + b)));
      const { loss, count } = await program.run(feedsOf(sequences, length));
      sum += loss!.data[0]! * count!.data[0]!;
      tokens += count!.data[0]!;
    }
    return { nats: sum / Math.max(tokens, 1), tokens };
  };
  const { nats, tokens } = await mean(validation);
  const scores: Record<string, number> = { nats, perplexity: Math.exp(nats), tokens };
  for (const [name, sequences] of Object.entries(beside)) scores[`${name}Nats`] = (await mean(sequences)).nats;
  await program.close();
  return scores;
}
