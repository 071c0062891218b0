/**
 * Stage `codebook` (the paper's stage 2): codebook, reconstruction decoder and Reverse Q-Formers learn on the outputs of
 * the frozen Causal Q-Former. arXiv 2307.08041 section 3.2. Ours, off by default: the Q-Former continues to learn
 * with them.
 *
 * The published codebook learns by gradient from a uniform start, and on little data most of its codes die. Three remedies
 * are settings: a k-means start, moving averages instead of the gradient (van den Oord et al. 2017, appendix A.1), and
 * revival of codes that were not used for a while. The paper asks for codes that serve reconstruction too: the term
 * `draft` makes them hold appearance, and with nested dropout every prefix of them gives a picture.
 */
import { z } from "zod";
import { InputError } from "../../base/errors.ts";
import type { Rng } from "../../base/rng.ts";
import { constant, input, stopGradient, type Tensor } from "../../graph/index.ts";
import { type SeedlingConfig, seedConfig } from "../../models/config.ts";
import { imageFeature, TEMPERATURE } from "../../models/contrastive.ts";
import { draftCells, draftShape, draftVectors } from "../../models/draft.ts";
import { vitTokens } from "../../models/eva-vit.ts";
import { causalEmbeddings, queriesOf, visionContext } from "../../models/seed-tokenizer.ts";
import { scalar } from "../../nn/index.ts";
import { mapWeights, type Runtime, type Values } from "../../runtime/index.ts";
import { CODEBOOK, CodebookKeeper } from "../codebook/keeper.ts";
import { startAtMeans } from "../codebook/start-at-means.ts";
import type { FeatureCache } from "../data/feature-cache.ts";
import { matchesPrefix } from "../loop/learn.ts";
import type { Stage } from "../loop/loop.ts";
import { type Part, rowsOfPart } from "../loop/shares.ts";
import { draftLoss, tokensLoss } from "../losses/draft.ts";
import { drawPrefixes } from "../losses/nested-dropout.ts";
import { STAGE2_WEIGHTS, stage2Loss } from "../losses/stage2.ts";
import { textContrast } from "../losses/text-contrast.ts";
import { cachedPictureData } from "../recipe/picture-keys.ts";
import { key, share, trainingKeys, weight } from "../recipe/training-keys.ts";
import { codebookScores, draftSheet } from "./codebook-scores.ts";
import { defineStage, type Weights } from "./definition.ts";
import { branchFeatures, type ClipFeature, causalFeatures, clipFeatures, withLatents } from "./frozen-features.ts";
import { cachedFeatures, openCaptionedPictures } from "./picture-stage.ts";
import { type PairFeatures, pairFeatures } from "./qformer-scores.ts";
import { CLIP_SIZES, CODEBOOK_SIZES, QFORMER_SIZES } from "./sizes.ts";
import { pairTerm } from "./teachable-terms.ts";

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
  pairs: key(
    weight.default(0),
    "ours: of each caption against its changed one alone; needs `data.hardNegatives`; without it changed captions are not read",
  ),
  feature: key(
    weight.default(0),
    "ours: of 1 - cosine between the last embedding's feature in stage 1 and as rebuilt from the codes; where the Causal Q-Former continues to learn, its own feature is held to that of stage 1 too",
  ),
  draft: key(
    weight.default(0),
    "ours: of the autoencoder's latents, regressed from the codes; needs stage vae and `draft` in model.json",
  ),
  tokens: key(
    weight.default(0),
    "ours: of the tower's patch tokens, regressed from the vectors of the draft's cells, so that these hold what is where; needs `draft`, and a cell for each patch",
  ),
});

const settings = {
  start: key(
    z.enum(["uniform", "kmeans"]).default("uniform"),
    "how codes begin: `uniform` as published, or at the `kmeans` centers of the data; no effect in a later phase",
  ),
  learn: key(
    z.enum(["gradient", "ema"]).default("gradient"),
    "how codes learn: `gradient` as published, or moving averages",
  ),
  emaDecay: key(share.default(0.99), "decay of the moving averages"),
  reviveAfter: key(z.int().min(0).default(0), "steps without use after which a code is revived; 0 for never"),
  targets: key(
    z.array(z.enum(["image", "text"])).default(["image", "text"]),
    "what a Reverse Q-Former learns to predict: the image embedding, the text features, both, or neither",
  ),
  prefixes: key(
    share.default(0),
    "ours: share of each batch in which only a random number of the first codes is read (nested dropout); needs `missing` of the codebook in model.json",
  ),
  qformerRate: key(
    share.default(0),
    "ours: factor on the rate at which the Causal Q-Former continues to learn, so that codes can express its embeddings; 0 as published, where it is frozen",
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
const DRAFT = "draft";
/** Used in training only. */
const TOKENS = "draft_tokens";
/** The parts of stage 1 that may continue to learn. The projection is fixed, so that features keep their meaning. */
const QFORMER = ["ln_vision", "query_tokens", "Qformer"] as const;
const POSITIONS = "vision_positions";

type Target = "image" | "text";

/** Name prefixes of what stage 2 trains with these heads. */
function prefixes(config: SeedlingConfig, targets: readonly Target[], draft: boolean): string[] {
  const image = [...IMAGE_HEAD, ...(config.image.head.kind === "down" ? DOWN_IMAGE : REVERSE_IMAGE)];
  const heads = targets.flatMap((target) => (target === "image" ? image : TEXT_HEAD));
  return [...COMMON, ...heads, ...(draft ? [DRAFT] : [])];
}

export const codebook = defineStage({
  name: "codebook",
  about: "Codebook, reconstruction decoder and Reverse Q-Formers, on the frozen Causal Q-Former.",
  paper: "stage 2 (arXiv 2307.08041, section 3.2)",
  recipe: z.strictObject({ ...trainingKeys, data: cachedPictureData, ...settings }),
  needs: ["clip", "causal-qformer"],
  sizes: [...CLIP_SIZES, ...QFORMER_SIZES, ...CODEBOOK_SIZES],
  owns: [...COMMON, ...IMAGE_HEAD, ...REVERSE_IMAGE, ...DOWN_IMAGE, ...TEXT_HEAD, DRAFT],
  async build(c) {
    const opened = await openCaptionedPictures(c);
    const { data, config } = opened;
    const { recipe, runtime, folder } = c;
    const { targets } = recipe;
    if (recipe.weights.draft > 0 && !config.draft)
      throw new InputError(`${c.where}: weights.draft: expected draft in model.json, found none. Leave the term out.`);
    if (recipe.weights.tokens > 0 && (recipe.weights.draft === 0 || !hasCellForEachPatch(config)))
      throw new InputError(
        `${c.where}: weights.tokens: expected weights.draft, and a draft with a cell for each patch. Leave the term out.`,
      );
    if (recipe.prefixes > 0 && !config.codebook.missing)
      throw new InputError(
        `${c.where}: prefixes: expected codebook.missing in model.json, found none. Leave them out.`,
      );
    const hard = (data.train.hardNegatives ?? false) && config.contrastiveText === "clip";
    const changed = hard ? (["changed"] as const) : [];
    // The same as in stage 1, so that its cache is reused.
    const wanted: ClipFeature[] = [
      "tokens",
      "image",
      "caption",
      ...changed,
      ...(targets.includes("text") ? (["text"] as const) : []),
    ];
    const clip = await clipFeatures(c, opened, wanted);
    const drafts = recipe.weights.draft > 0 ? await withLatents(c, opened, clip) : clip;
    const captions = config.contrastiveText === "clip" ? drafts : await branchFeatures(c, opened, drafts);
    const frozen = await c.weights("causal-qformer");
    const features = await causalFeatures(c, opened, captions, frozen);
    const options: CodebookStageOptions = {
      ...{ config, recipe, hard: hard && recipe.weights.pairs > 0, runtime },
      ...(await cachedFeatures(c, data, features)),
      pairs: await pairFeatures(data, features),
      weights: pairTerm(c, recipe.weights, hard),
      start: c.start ? c.start.weights : recipe.start,
      frozen,
    };
    const stage = codebookStage(options);
    if (recipe.weights.draft === 0 || !config.draft) return { stage };
    const vae = { config: opened.sizes.vae, weights: await c.weights("vae") };
    const sheet = await draftSheet({ ...options, vae, folder, pictures: data.validation });
    const evaluate = async (weights: Weights, step: number): Promise<Record<string, number>> => {
      await sheet(weights, step);
      return codebookScores(weights, options);
    };
    return { stage: { ...stage, evaluate } };
  },
});

interface CodebookStageOptions {
  readonly config: SeedlingConfig;
  /**
   * Caches with `y` (causal embeddings), `caption` and perhaps `changed` (features of captions), `latents` for drafts, and
   * those of the targets.
   */
  readonly train: FeatureCache;
  readonly validation: FeatureCache;
  readonly pairs: PairFeatures;
  readonly recipe: {
    readonly seed: number;
    readonly learn: "gradient" | "ema";
    readonly emaDecay: number;
    readonly reviveAfter: number;
    readonly targets: readonly Target[];
    readonly prefixes: number;
    readonly qformerRate: number;
  };
  /** How codes begin, or the weights that the run begins with. */
  readonly start: "uniform" | "kmeans" | Weights;
  readonly weights: z.output<typeof weights>;
  /** Whether pictures come with changed captions. */
  readonly hard: boolean;
  readonly runtime: Runtime;
  /** Weights of stage 1: its projection maps the last embedding to features, and its head of drafts continues to learn. */
  readonly frozen: Weights;
}

function codebookStage(options: CodebookStageOptions): Stage {
  const { config, recipe, runtime, train, weights, hard, frozen } = options;
  const { targets } = recipe;
  const seed = seedConfig(config);
  const [K, E, D] = [config.codebook.codes, config.codebook.width, config.qformer.hidden];
  const [F, N] = [config.contrastiveWidth, queriesOf(config)];
  const contrasts = weights.contrast + weights.pairs > 0;
  const draft = weights.draft > 0 ? config.draft : undefined;
  const tuned = recipe.qformerRate > 0 ? [...QFORMER, ...(config.contextPositions ? [POSITIONS] : [])] : [];
  const tunes = tuned.length > 0;
  const S = vitTokens(seed.vision);
  const keeper = new CodebookKeeper(K, E, recipe);
  const cached = [
    ...["y", ...targets, ...(tunes || weights.tokens > 0 ? ["tokens"] : [])],
    ...(contrasts ? ["caption", ...(hard ? ["changed"] : [])] : []),
    ...(draft ? ["latents"] : []),
  ];
  /** Pictures of a batch all of whose codes are read. */
  const wholeOf = (batch: number): number => batch - Math.round(batch * recipe.prefixes);
  const feeds = async (part: Part, rng: Rng): Promise<Values> => {
    const { values } = await train.shuffledBatch(part.examples, cached);
    if (recipe.prefixes === 0) return values;
    const keep = rowsOfPart(drawPrefixes(part.of, N, wholeOf(part.of), rng), part);
    return { ...values, keep: { shape: [part.rows.length, N, 1], data: keep } };
  };
  return {
    name: "codebook",
    learns: [...prefixes(config, targets, draft !== undefined), ...tuned, ...(weights.tokens > 0 ? [TOKENS] : [])],
    frozen: mapWeights(frozen),
    start: new Map([
      ...weightsBelow(frozen, [...(draft ? [DRAFT] : []), ...tuned]),
      ...(typeof options.start === "string" ? [] : options.start),
    ]),
    rateScale(path) {
      if (path === CODEBOOK && recipe.learn === "ema") return 0;
      return matchesPrefix(path, tuned) ? recipe.qformerRate : 1;
    },
    build(p, B, batch) {
      if (wholeOf(B) * batch.shares !== wholeOf(B * batch.shares))
        throw new InputError(
          `codebook: prefixes: expected as many whole examples in each of ${batch.shares} shares, got ${wholeOf(B * batch.shares)} in a batch of ${B * batch.shares}. Change batch, prefixes or the number of ranks.`,
        );
      const teachers = {
        ...(targets.includes("image") && { imageEmbedding: input("image", [B, config.image.width]) }),
        ...(targets.includes("text") && { textFeatures: input("text", [B, config.text.tokens, config.text.width]) }),
      };
      const frozenY = input("y", [B, N, D]);
      const tokens = input("tokens", [B, S, seed.vision.width]);
      const y = tunes ? causalEmbeddings(p, visionContext(p, tokens, seed), seed) : frozenY;
      const keep = recipe.prefixes > 0 ? input("keep", [B, N, 1]) : undefined;
      const { parts, ids, z, rebuilt } = stage2Loss(p, y, teachers, seed, weights, keep, batch);
      const terms: Record<string, Tensor> = { ...parts };
      const whole = (x: Tensor): Tensor => (keep ? x.slice(0, 0, wholeOf(B)) : x);
      const image = imageFeature(p, whole(rebuilt), seed);
      let metrics = {};
      if (contrasts) {
        const texts = {
          caption: whole(input("caption", [B, F])),
          changed: hard ? whole(input("changed", [B, F])) : undefined,
        };
        const temperature = scalar(p, "temp", TEMPERATURE);
        const contrast = textContrast({ image, ...texts }, temperature, weights, 0, batch);
        for (const [name, term, weight] of contrast.terms) terms[name] = term.mul(weight);
        metrics = contrast.metrics;
      }
      if (weights.feature > 0) {
        const goal = stopGradient(imageFeature(p, whole(frozenY), seed));
        const missed = (feature: Tensor): Tensor => constant(1).sub(feature.mul(goal).sum(-1).mean());
        terms.feature = missed(image).mul(weights.feature);
        if (tunes) terms.embedding = missed(imageFeature(p, whole(y), seed)).mul(weights.feature);
      }
      if (draft) {
        const vectors = draftVectors(p.at(DRAFT), rebuilt, draft, seed.qformer);
        const cells = draftCells(p.at(DRAFT), vectors, draft);
        const latents = input("latents", [B, draft.channels, draft.size, draft.size]);
        terms.draft = draftLoss(cells, latents, draft.cell).mul(weights.draft);
        metrics = { ...metrics, wholeDraftError: draftLoss(whole(cells), whole(latents), draft.cell) };
        if (weights.tokens > 0) terms.tokens = tokensLoss(p.at(TOKENS), vectors, tokens, batch).mul(weights.tokens);
      }
      const loss = Object.values(terms).reduce((a, b) => a.add(b));
      const logged = Object.fromEntries(Object.entries(terms).map(([term, part]) => [`${term}Loss`, part]));
      return { loss, metrics: { ...logged, ...metrics, ids, z } };
    },
    batch: feeds,
    async prepare(training, batch, work) {
      const means = { codes: K, width: E, vectors: N, seed: recipe.seed, runtime, feeds };
      if (options.start === "kmeans") await startAtMeans(training, batch, means, work);
      if (recipe.learn === "ema") keeper.begin(await training.readOne("param", CODEBOOK), (batch.of * N) / K);
    },
    afterStep: (step, outputs, training, rng) => keeper.afterStep(step, outputs, training, rng),
    state: () => keeper.state(),
    restore: (state) => keeper.restore(state),
    evaluate: (weights) => codebookScores(weights, options),
  };
}

function hasCellForEachPatch({ draft, vision }: SeedlingConfig): boolean {
  return draft !== undefined && draftShape(draft).cells === vitTokens(vision) - 1;
}

function weightsBelow(weights: Weights, prefixes: readonly string[]): [string, Float32Array][] {
  return [...weights].filter(([path]) => matchesPrefix(path, prefixes));
}
