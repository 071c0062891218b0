/**
 * Stage `codebook` (the paper's stage 2): codebook, reconstruction decoder and Reverse Q-Formers learn on the outputs of
 * the frozen Causal Q-Former. arXiv 2307.08041 section 3.2.
 *
 * The published codebook learns by gradient from a uniform start, and on little data most of its codes die. Three remedies
 * are settings: a k-means start, moving averages instead of the gradient (van den Oord et al. 2017, appendix A.1), and
 * revival of codes that were not used for a while.
 */
import { z } from "zod";
import { Rng } from "../../base/rng.ts";
import { dot } from "../../base/vectors.ts";
import { codebookHealth } from "../../evaluation/metrics/codebook-health.ts";
import { retrieval, unitRows } from "../../evaluation/metrics/retrieval.ts";
import { input, Params } from "../../graph/index.ts";
import { type SeedlingConfig, seedConfig } from "../../models/config.ts";
import { imageFeature } from "../../models/contrastive.ts";
import { vitTokens } from "../../models/eva-vit.ts";
import { decodeVectors, QUERIES, quantize, reconstructEmbeddings } from "../../models/seed-tokenizer.ts";
import { mapWeights, type Runtime, type Training, type Value, type Values } from "../../runtime/index.ts";
import type { CaptionTokenizer } from "../../text/index.ts";
import { CODEBOOK, CodebookKeeper } from "../codebook/keeper.ts";
import { kmeans } from "../codebook/kmeans.ts";
import type { FeatureCache } from "../data/feature-cache.ts";
import type { Stage, Work } from "../loop/loop.ts";
import { batches, joined, joinRows, namedValue } from "../loop/values.ts";
import { RECONSTRUCTION, reconstructTokens } from "../losses/feature-reconstruction.ts";
import { PATCH_LABELS, patchLabelsLoss } from "../losses/patch-labels.ts";
import { STAGE2_WEIGHTS, stage2Loss } from "../losses/stage2.ts";
import { WordTargets, wordClassificationLoss } from "../losses/word-classification.ts";
import { cachedPictureData } from "../recipe/picture-keys.ts";
import { key, share, trainingKeys, weight } from "../recipe/training-keys.ts";
import { defineStage, type Weights } from "./definition.ts";
import { causalFeatures, clipFeatures, withPatchLabels } from "./frozen-features.ts";
import { labeledNames } from "./labeled-names.ts";
import { cachedFeatures, openCaptionedPictures } from "./picture-stage.ts";
import { CLIP_SIZES, CODEBOOK_SIZES, QFORMER_SIZES } from "./sizes.ts";

const weights = z.strictObject({
  codebook: key(weight.default(STAGE2_WEIGHTS.codebook), "of the codebook and commitment; published 5"),
  reconstruction: key(
    weight.default(STAGE2_WEIGHTS.reconstruction),
    "of the cosine between embeddings before and after; published 2",
  ),
  image: key(weight.default(STAGE2_WEIGHTS.image), "of the error of the image embedding; published 0.5"),
  text: key(weight.default(STAGE2_WEIGHTS.text), "of the error of the text features; published 0.5"),
  contrast: key(
    weight.default(0),
    "ours: the reconstructed last embedding has to find its caption among those of the batch",
  ),
  wordClassification: key(
    weight.default(0),
    "ours: each code names words of the caption for itself, whatever its position",
  ),
  patchLabels: key(
    weight.default(0),
    "ours: the tokens that stage 1 rebuilds still name the object that covers each patch; scenes only",
  ),
});

const settings = {
  start: key(
    z.enum(["uniform", "kmeans"]).default("uniform"),
    "how codes begin: `uniform` as published, or at the means of the data; without effect in a later phase",
  ),
  learn: key(
    z.enum(["gradient", "ema"]).default("gradient"),
    "how codes learn: `gradient` as published, or moving averages",
  ),
  emaDecay: key(share.default(0.99), "decay of the moving averages"),
  reviveAfter: key(z.int().min(0).default(0), "steps without use after which a code starts again; 0 for never"),
  targets: key(
    z.array(z.enum(["image", "text"])).default(["image", "text"]),
    "what a Reverse Q-Former learns to predict: the image embedding, the text features, or both",
  ),
  weights: key(weights.prefault({}), "weights of the terms of the loss"),
};

const COMMON = ["quantize", "encode_task_layer", "decode_task_layer", "pos_embed", "blocks"] as const;
const IMAGE_HEAD = ["pos_embed_image", "blocks_image", "distill_image_proj"] as const;
const REVERSE_IMAGE = ["Reverse_Qformer", "reverse_tokens"] as const;
const DOWN_IMAGE = ["image_down"] as const;
const TEXT_HEAD = [
  "pos_embed_text",
  "blocks_text",
  "Reverse_Qformer_text",
  "reverse_tokens_text",
  "distill_text_proj",
] as const;
/** Name prefix of the word classes, which no model keeps. */
const WORD_CLASSES = "code_naming";

type Target = "image" | "text";

/** Name prefixes of what stage 2 trains with these heads. */
function prefixes(config: SeedlingConfig, targets: readonly Target[]): string[] {
  const image = [...IMAGE_HEAD, ...(config.image.head.kind === "down" ? DOWN_IMAGE : REVERSE_IMAGE)];
  return [...COMMON, ...targets.flatMap((target) => (target === "image" ? image : TEXT_HEAD))];
}

export const codebook = defineStage({
  name: "codebook",
  about: "Codebook, reconstruction decoder and Reverse Q-Formers, on the frozen Causal Q-Former.",
  paper: "stage 2 (arXiv 2307.08041, section 3.2)",
  recipe: z.strictObject({ ...trainingKeys, data: cachedPictureData, ...settings }),
  needs: ["clip", "causal-qformer"],
  sizes: [...CLIP_SIZES, ...QFORMER_SIZES, ...CODEBOOK_SIZES],
  owns: [...COMMON, ...IMAGE_HEAD, ...REVERSE_IMAGE, ...DOWN_IMAGE, ...TEXT_HEAD],
  async build(c) {
    const opened = await openCaptionedPictures(c);
    const { data, tokenizer, config, size } = opened;
    const { recipe } = c;
    const names = labeledNames(c, data, recipe.weights.patchLabels);
    const features = await causalFeatures(c, opened, await clipFeatures(c, opened));
    const labeled = names.length > 0 ? withPatchLabels(features, names, size / config.vision.patchSize) : features;
    const caches = await cachedFeatures(c, data, labeled, features);
    const { start, learn, emaDecay, reviveAfter, targets, weights, seed } = recipe;
    const stage = codebookStage({
      ...{ config, learn, emaDecay, reviveAfter, targets, weights, seed, tokenizer, ...caches },
      start: c.start ? "continued" : start,
      names: names.length,
      runtime: c.runtime,
      frozen: await c.weights("causal-qformer"),
    });
    return { stage };
  },
});

interface CodebookStageOptions {
  readonly config: SeedlingConfig;
  /** Caches with `y` (causal embeddings), `caption` (stage 1's feature), those of the targets, `patches` for patch labels. */
  readonly train: FeatureCache;
  readonly validation: FeatureCache;
  readonly seed: number;
  /** "continued": as the weights that the run begins with have it. */
  readonly start: "uniform" | "kmeans" | "continued";
  readonly learn: "gradient" | "ema";
  readonly emaDecay: number;
  readonly reviveAfter: number;
  readonly targets: readonly Target[];
  readonly weights: z.output<typeof weights>;
  readonly tokenizer: CaptionTokenizer;
  /** How many names patch labels have; 0 without them. */
  readonly names: number;
  readonly runtime: Runtime;
  /** Weights of stage 1, whose projection says what the last embedding means. */
  readonly frozen: Weights;
}

function codebookStage(options: CodebookStageOptions): Stage {
  const { config, train, targets, weights, tokenizer, names } = options;
  const seed = seedConfig(config);
  const L = config.textEncoder.maxPositions;
  const S = vitTokens(seed.vision);
  const [K, E, D] = [config.codebook.codes, config.codebook.width, config.qformer.hidden];
  const [contrasts, classifies, labels] = [weights.contrast > 0, weights.wordClassification > 0, names > 0];
  const words = new WordTargets(tokenizer, L, (count) => train.captions(count));
  const keeper = new CodebookKeeper(K, E, options);
  const cached = ["y", ...targets, ...(contrasts ? ["caption"] : []), ...(labels ? ["patches"] : [])];
  const feeds = async (start: number, count: number): Promise<Values> => {
    const { values, captions } = await train.shuffledBatch(start, count, cached);
    if (!classifies) return values;
    return { ...values, words: await words.shares(tokenizer.encode(captions, L).ids, count) };
  };
  return {
    name: "codebook",
    learns: [...prefixes(config, targets), ...(classifies ? [WORD_CLASSES] : [])],
    frozen: mapWeights(options.frozen),
    rateScale: (path) => (path === CODEBOOK && options.learn === "ema" ? 0 : 1),
    build(p, B) {
      const teachers = {
        ...(targets.includes("image") && { imageEmbedding: input("image", [B, config.image.width]) }),
        ...(targets.includes("text") && { textFeatures: input("text", [B, config.text.tokens, config.text.width]) }),
        ...(contrasts && { captions: input("caption", [B, config.contrastiveWidth]) }),
      };
      const { loss, parts, ids, z, zq, rebuilt } = stage2Loss(p, input("y", [B, QUERIES, D]), teachers, seed, weights);
      let whole = loss;
      const metrics = Object.fromEntries(Object.entries(parts).map(([term, part]) => [`${term}Loss`, part]));
      if (classifies) {
        const named = wordClassificationLoss(p.at(WORD_CLASSES), zq, input("words", [B, tokenizer.size]));
        metrics.wordClassificationLoss = named.mul(weights.wordClassification);
        whole = whole.add(metrics.wordClassificationLoss);
      }
      if (labels) {
        const tokens = reconstructTokens(p.at(RECONSTRUCTION), rebuilt, S, seed.vision.width, seed.qformer);
        const named = patchLabelsLoss(p.at(PATCH_LABELS), tokens, input("patches", [B, S - 1]), names);
        metrics.patchLabelsLoss = named.mul(weights.patchLabels);
        whole = whole.add(metrics.patchLabelsLoss);
      }
      return { loss: whole, metrics: { ...metrics, ids, z } };
    },
    batch: (micro, count) => feeds(micro * count, count),
    async prepare(training, batch, work) {
      if (options.start === "kmeans") await startAtMeans(training, batch, work);
      if (options.learn === "ema") keeper.begin(await training.readOne("param", CODEBOOK), (batch * QUERIES) / K);
    },
    afterStep: (step, outputs, training, rng) => keeper.afterStep(step, outputs, training, rng),
    state: () => keeper.state(),
    restore: (state) => keeper.restore(state),
    evaluate: (weights) => codebookScores(weights, options),
  };

  /** k-means on two vectors a code. */
  async function startAtMeans(training: Training, batch: number, work: Work): Promise<void> {
    const vectors: Value[] = [];
    for (let i = 0; i * batch * QUERIES < 2 * K; i++) {
      work.signal?.throwIfAborted();
      work.onProgress?.("collecting vectors", i * batch * QUERIES, 2 * K, "vectors");
      vectors.push(namedValue(await training.forward(await feeds(i * batch, batch)), "z"));
    }
    const settings = { width: E, centers: K, rounds: 8, rng: new Rng(options.seed) };
    await training.writeOne("param", CODEBOOK, await kmeans(joinRows(vectors), settings, work));
  }
}

/** On validation pictures: retrieval of captions by codes and by embeddings, and the health of the codes. */
async function codebookScores(
  weights: Weights,
  { config, validation, runtime, frozen }: CodebookStageOptions,
): Promise<Record<string, number>> {
  const seed = seedConfig(config);
  const p = new Params();
  const y = input("y", ["B", QUERIES, config.qformer.hidden]);
  const { zq, ids } = quantize(p, y, seed);
  const rebuilt = reconstructEmbeddings(p, decodeVectors(p, zq, seed), seed);
  const outputs = { ids, before: imageFeature(p, y, seed), after: imageFeature(p, rebuilt, seed) };
  const program = await runtime.compile(outputs, mapWeights(new Map([...frozen, ...weights])));
  const parts: Values[] = [];
  const names: string[] = [];
  for (const { start, size } of batches(validation.count, 100)) {
    const { values, captions } = await validation.range(start, size, ["y", "caption"]);
    const outputs = await program.run({ y: namedValue(values, "y") });
    parts.push({ ...outputs, caption: namedValue(values, "caption") });
    names.push(...captions);
  }
  await program.close();
  const rows = (name: string): Float32Array[] => unitRows(joined(parts, name), config.contrastiveWidth);
  const [before, after, captions] = [rows("before"), rows("after"), rows("caption")];
  const [embeddings, codes] = [retrieval(before, captions, names), retrieval(after, captions, names)];
  const health = codebookHealth(
    Int32Array.from(parts.flatMap((values) => [...namedValue(values, "ids").data])),
    config.codebook.codes,
  );
  return {
    recallMean: codes.mean,
    keptPercent: (100 * codes.mean) / embeddings.mean,
    cosine: before.reduce((sum, row, i) => sum + dot(row, after[i] ?? row), 0) / before.length,
    perplexity: health.perplexity,
    distinctCodes: health.distinct,
    leastEntropyBits: Math.min(...health.entropyBits),
    mostEntropyBits: Math.max(...health.entropyBits),
  };
}
