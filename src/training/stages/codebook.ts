/**
 * Stage `codebook` (the paper's stage 2): codebook, reconstruction decoder and Reverse Q-Formers learn on the outputs of
 * the frozen Causal Q-Former. arXiv 2307.08041 section 3.2.
 *
 * The published codebook learns by gradient from a uniform start, and on little data most of its codes die. So three
 * remedies are switches here: a k-means start, moving averages instead of the gradient (van den Oord et al. 2017,
 * appendix A.1), and revival of codes that nothing chose for a while.
 */

import { Rng } from "../../base/rng.ts";
import { dot } from "../../base/vectors.ts";
import { retrieval, unitRows } from "../../evaluation/metrics/retrieval.ts";
import { input, Params, type Tensor } from "../../graph/index.ts";
import { type SeedlingConfig, seedConfig } from "../../models/config.ts";
import { imageFeature } from "../../models/contrastive.ts";
import { vitTokens } from "../../models/eva-vit.ts";
import { decodeVectors, QUERIES, quantize, reconstructEmbeddings } from "../../models/seed-tokenizer.ts";
import { mapWeights, type Runtime, type Training, type Values } from "../../runtime/index.ts";
import type { CaptionTokenizer } from "../../text/index.ts";
import { CodeWindow, codebookHealth, UsageAlarm } from "../codebook/health.ts";
import { kmeans } from "../codebook/kmeans.ts";
import type { FeatureCache } from "../data/feature-cache.ts";
import type { Stage, StepNews } from "../loop/loop.ts";
import { RECOVER, recoverTokens } from "../losses/feature-reconstruction.ts";
import { placesLoss } from "../losses/patch-labels.ts";
import { type Stage2Targets, type Stage2Term, stage2Loss } from "../losses/stage2.ts";
import { CaptionWords, captionWordsLoss } from "../losses/word-classification.ts";
import { firstOf, PLACES } from "./causal-qformer.ts";
import { joinRows } from "./clip.ts";

export const CODEBOOK = "quantize.embedding.weight";

export interface CodebookStageOptions {
  readonly config: SeedlingConfig;
  /** Caches with `y` (causal embeddings), `caption` (stage 1's feature), and for the heads that learn `image`, `text`. */
  readonly train: FeatureCache;
  readonly validation: FeatureCache;
  readonly seed: number;
  /** "uniform" as published, "kmeans", or "continued": as an earlier run left it. */
  readonly start: "uniform" | "kmeans" | "continued";
  /** "gradient" as published, or "ema". */
  readonly learn: "gradient" | "ema";
  /** Decay of the moving averages per step. */
  readonly emaDecay: number;
  /** Steps without use after which a code starts again at a vector of the batch; 0 for never. */
  readonly reviveAfter: number;
  /** Targets that learn. */
  readonly targets: readonly ("image" | "text")[];
  readonly weights: Readonly<Record<Stage2Term | CodeTerm, number>>;
  readonly tokenizer: CaptionTokenizer;
  /** How many names things have, for the term `places`. */
  readonly things: number;
  readonly runtime: Runtime;
  /** Weights of stage 1: its projection says what the last embedding means. */
  readonly frozen: ReadonlyMap<string, Float32Array>;
}

/**
 * Ours, off as published. `words`: the vector of each code names words of the caption for itself, with the same weights
 * at all 32 places, so that a code means the same wherever it stands. `places`: what stage 1 recovers from the embeddings
 * rebuilt from codes still names the thing at each place.
 */
export type CodeTerm = "words" | "places";

/** Name prefix of the words' classes: only trained with. */
const CODE_NAMING = "code_naming";

export const CODEBOOK_PREFIXES = ["quantize", "encode_task_layer", "decode_task_layer", "pos_embed", "blocks"] as const;
const HEADS = {
  image: ["pos_embed_image", "blocks_image", "distill_image_proj"],
  text: ["pos_embed_text", "blocks_text", "Reverse_Qformer_text", "reverse_tokens_text", "distill_text_proj"],
} as const;

/** Name prefixes of all that stage 2 can train: with either head, of either kind. */
export const STAGE2_PREFIXES = [
  ...CODEBOOK_PREFIXES,
  ...HEADS.image,
  "Reverse_Qformer",
  "reverse_tokens",
  "image_down",
  ...HEADS.text,
] as const;

/** Name prefixes of what stage 2 trains with these heads. */
export function codebookPrefixes(config: SeedlingConfig, targets: readonly ("image" | "text")[]): string[] {
  const imageHead = config.image.head.kind === "down" ? ["image_down"] : ["Reverse_Qformer", "reverse_tokens"];
  return [
    ...CODEBOOK_PREFIXES,
    ...targets.flatMap((t) => (t === "image" ? [...HEADS.image, ...imageHead] : HEADS.text)),
  ];
}

export function codebookStage(options: CodebookStageOptions): Stage {
  const { config, train, targets, weights, tokenizer, things } = options;
  const seed = seedConfig(config);
  const L = config.textEncoder.maxPositions;
  const S = vitTokens(seed.vision);
  const named = new CaptionWords(
    tokenizer,
    L,
    async (count) => (await train.batch(firstOf(train, count), [])).captions,
  );
  const [K, E, D] = [config.codebook.codes, config.codebook.width, config.qformer.hidden];
  const keeper = new CodebookKeeper(K, E, options);
  const cached = [
    "y",
    ...targets,
    ...(weights.contrast > 0 ? ["caption"] : []),
    ...(weights.places > 0 ? ["places"] : []),
  ];
  const feeds = async (start: number, count: number): Promise<Values> => {
    const { values, captions } = await train.shuffledBatch(start, count, cached);
    if (weights.words === 0) return values;
    return { ...values, words: await named.shares(tokenizer.encode(captions, L).ids, count) };
  };
  return {
    name: "codebook",
    learns: [...codebookPrefixes(config, targets), ...(weights.words > 0 ? [CODE_NAMING] : [])],
    frozen: mapWeights(options.frozen),
    rateScale: (path) => (path === CODEBOOK && options.learn === "ema" ? 0 : 1),
    build(p, B) {
      const goals: Stage2Targets = {
        ...(targets.includes("image") ? { imageEmbedding: input("image", [B, config.image.width]) } : {}),
        ...(targets.includes("text")
          ? { textFeatures: input("text", [B, config.text.tokens, config.text.width]) }
          : {}),
        ...(weights.contrast > 0 ? { captions: input("caption", [B, config.contrastiveWidth]) } : {}),
      };
      const { loss, parts, ids, z, zq, rebuilt } = stage2Loss(p, input("y", [B, 32, D]), goals, seed, weights);
      const ours: Partial<Record<CodeTerm, Tensor>> = {};
      if (weights.words > 0) {
        const words = captionWordsLoss(p.at(CODE_NAMING), zq, input("words", [B, tokenizer.size]));
        ours.words = words.mul(weights.words);
      }
      if (weights.places > 0) {
        const tokens = recoverTokens(p.at(RECOVER), rebuilt, S, seed.vision.width, seed.qformer);
        const places = placesLoss(p.at(PLACES), tokens, input("places", [B, S - 1]), things);
        ours.places = places.mul(weights.places);
      }
      const losses = Object.entries({ ...parts, ...ours }).map(([term, part]) => [`${term}Loss`, part]);
      const whole = Object.values(ours).reduce((sum, term) => sum.add(term), loss);
      return { loss: whole, metrics: { ...Object.fromEntries(losses), ids, z } };
    },
    batch: (micro, count) => feeds(micro * count, count),
    async prepare(training, batch) {
      if (options.start === "kmeans") await startAtMeans(training, batch);
      if (options.learn === "ema") keeper.begin(await training.readOne("param", CODEBOOK), (batch * QUERIES) / K);
    },
    afterStep: (step, outputs, training, rng) => keeper.afterStep(step, outputs, training, rng),
    state: () => keeper.state(),
    restore: (state) => keeper.restore(state),
    evaluate: (weights) => codebookScores(weights, options),
  };

  async function startAtMeans(training: Training, batch: number): Promise<void> {
    const rows: Float32Array[] = [];
    for (let i = 0; i * batch * QUERIES < 2 * K; i++) {
      const out = await training.forward(await feeds(i * batch, batch));
      rows.push(out.z!.data as Float32Array);
    }
    const all = new Float32Array(rows.length * rows[0]!.length);
    for (const [i, r] of rows.entries()) all.set(r, i * r.length);
    await training.writeOne("param", CODEBOOK, kmeans(all, E, K, 8, new Rng(options.seed)));
  }
}

/** On validation pictures: retrieval of captions by what the codes give back and by the embeddings, health of the codes. */
async function codebookScores(
  weights: ReadonlyMap<string, Float32Array>,
  { config, validation, runtime, frozen }: CodebookStageOptions,
): Promise<Record<string, number>> {
  const seed = seedConfig(config);
  const p = new Params();
  const y = input("y", ["B", 32, config.qformer.hidden]);
  const { zq, ids } = quantize(p, y, seed);
  const rebuilt = reconstructEmbeddings(p, decodeVectors(p, zq, seed), seed);
  const outputs = { ids, before: imageFeature(p, y, seed), after: imageFeature(p, rebuilt, seed) };
  const program = await runtime.compile(outputs, mapWeights(new Map([...frozen, ...weights])));
  const parts: Values[] = [];
  const names: string[] = [];
  for (let at = 0; at < validation.count; at += 100) {
    const rows = Array.from({ length: Math.min(100, validation.count - at) }, (_, i) => at + i);
    const { values, captions } = await validation.batch(rows, ["y", "caption"]);
    parts.push({ ...(await program.run({ y: values.y! })), caption: values.caption! });
    names.push(...captions);
  }
  await program.close();
  const rows = (name: string): Float32Array[] =>
    unitRows(joinRows(parts.map((v) => v[name]!)), config.contrastiveWidth);
  const [before, after, captions] = [rows("before"), rows("after"), rows("caption")];
  const [embeddings, codes] = [retrieval(before, captions, names), retrieval(after, captions, names)];
  const health = codebookHealth(Int32Array.from(parts.flatMap((v) => [...v.ids!.data])), config.codebook.codes);
  return {
    recallMean: codes.mean,
    keptPercent: (100 * codes.mean) / embeddings.mean,
    cosine: before.reduce((sum, row, i) => sum + dot(row, after[i]!), 0) / before.length,
    perplexity: health.perplexity,
    distinctCodes: health.distinct,
    leastEntropyBits: Math.min(...health.entropyBits),
    mostEntropyBits: Math.max(...health.entropyBits),
  };
}

/** Moving averages, revival and health of the codebook from step to step. */
class CodebookKeeper {
  readonly #K: number;
  readonly #E: number;
  readonly #options: CodebookStageOptions;
  readonly #window = new CodeWindow(50);
  readonly #alarm = new UsageAlarm();
  #lastUsed: Float32Array;
  #counts: Float32Array;
  #sums: Float32Array;

  constructor(K: number, E: number, options: CodebookStageOptions) {
    this.#K = K;
    this.#E = E;
    this.#options = options;
    this.#lastUsed = new Float32Array(K);
    this.#counts = new Float32Array(K);
    this.#sums = new Float32Array(K * E);
  }

  /** The averages begin at the codes as they are, each with the weight of the vectors that it gets in a step on average. */
  begin(table: Float32Array, share: number): void {
    this.#counts.fill(share);
    this.#sums = table.map((value) => value * share);
  }

  /** The window and the alarm too, so that a run that goes on logs and warns as if it had never stopped. */
  state(): Map<string, Float32Array> {
    return new Map([
      ["window", this.#window.state()],
      ["alarm", this.#alarm.state(this.#K)],
      ["lastUsed", this.#lastUsed],
      ["counts", this.#counts],
      ["sums", this.#sums],
    ]);
  }

  restore(state: ReadonlyMap<string, Float32Array>): void {
    const [window, alarm] = [state.get("window"), state.get("alarm")];
    if (window) this.#window.restore(window);
    if (alarm) this.#alarm.restore(alarm, this.#K);
    this.#lastUsed = state.get("lastUsed") ?? this.#lastUsed;
    this.#counts = state.get("counts") ?? this.#counts;
    this.#sums = state.get("sums") ?? this.#sums;
  }

  async afterStep(step: number, outputs: Values, training: Training, rng: Rng): Promise<StepNews> {
    const { learn, reviveAfter } = this.#options;
    const ids = outputs.ids!.data as Int32Array;
    const z = outputs.z!.data as Float32Array;
    this.#window.add(ids);
    for (const id of ids) this.#lastUsed[id] = step;
    const dead: number[] = [];
    if (reviveAfter > 0) for (let k = 0; k < this.#K; k++) if (step - this.#lastUsed[k]! > reviveAfter) dead.push(k);
    if (learn === "ema" || dead.length > 0) {
      const table = await training.readOne("param", CODEBOOK);
      if (learn === "ema") this.#average(table, ids, z);
      for (const k of dead) this.#revive(table, k, step, z, rng);
      await training.writeOne("param", CODEBOOK, table);
    }
    const { usage, perplexity, entropyBits } = this.#window.health(this.#K);
    const warning = this.#window.full ? this.#alarm.check(usage) : undefined;
    const [leastEntropyBits, mostEntropyBits] = [Math.min(...entropyBits), Math.max(...entropyBits)];
    const metrics = { usage, perplexity, leastEntropyBits, mostEntropyBits, revived: dead.length };
    return { metrics, ...(warning && { warning }) };
  }

  #average(table: Float32Array, ids: Int32Array, z: Float32Array): void {
    const [K, E, decay] = [this.#K, this.#E, this.#options.emaDecay];
    const counts = new Float32Array(K);
    const sums = new Float32Array(K * E);
    for (const [i, k] of ids.entries()) {
      counts[k] = counts[k]! + 1;
      for (let d = 0; d < E; d++) sums[k * E + d] = sums[k * E + d]! + z[i * E + d]!;
    }
    for (let k = 0; k < K; k++) {
      this.#counts[k] = decay * this.#counts[k]! + (1 - decay) * counts[k]!;
      for (let d = 0; d < E; d++) {
        const at = k * E + d;
        this.#sums[at] = decay * this.#sums[at]! + (1 - decay) * sums[at]!;
        if (this.#counts[k]! > 1e-4) table[at] = this.#sums[at]! / this.#counts[k]!;
      }
    }
  }

  #revive(table: Float32Array, k: number, step: number, z: Float32Array, rng: Rng): void {
    const E = this.#E;
    const row = rng.int(z.length / E);
    table.set(z.subarray(row * E, (row + 1) * E), k * E);
    this.#sums.set(z.subarray(row * E, (row + 1) * E), k * E);
    this.#counts[k] = 1;
    this.#lastUsed[k] = step;
  }
}
