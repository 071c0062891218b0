/**
 * Stage `probe`: what do the codes hold, and what do the embeddings before them? A small Reverse Q-Former looks for objects
 * and backgrounds in the frozen vectors alone, and is measured as the judge of pictures is. What it finds, a language
 * model and a decoder can find too; what it does not find may still be there. Nothing else reads it. Ours.
 */
import { z } from "zod";
import { UsageError } from "../../base/errors.ts";
import { BACKGROUND_NAMES } from "../../data/colors.ts";
import { seenPicture } from "../../evaluation/metrics/centers.ts";
import { input, normal, Params, type Tensor } from "../../graph/index.ts";
import { hashOf } from "../../io/hash.ts";
import type { SeedlingConfig } from "../../models/config.ts";
import { cellsToLatents, draftCells, draftVectors } from "../../models/draft.ts";
import { RARE_CENTER } from "../../models/judge.ts";
import { queriesOf } from "../../models/seed-tokenizer.ts";
import { linear } from "../../nn/index.ts";
import { mapWeights, type Runtime } from "../../runtime/index.ts";
import type { FeatureCache } from "../data/feature-cache.ts";
import { type Pictures, take } from "../data/pictures.ts";
import type { Stage } from "../loop/loop.ts";
import { sharpStart } from "../loop/sharp-start.ts";
import { batches, floatsOf, pickValues } from "../loop/values.ts";
import { inOnePiece } from "../loop/whole-batch.ts";
import { centerLabels, centersLoss, cornerLabels, cornersLoss } from "../losses/centers.ts";
import { cachedPictureData } from "../recipe/picture-keys.ts";
import { count, key, trainingKeys } from "../recipe/training-keys.ts";
import { centerScores, type LookedAt, shownScene, THRESHOLDS } from "./center-scores.ts";
import { defineStage, type Weights } from "./definition.ts";
import {
  causalFeatures,
  clipFeatures,
  codeVectorFeatures,
  type FrozenFeatures,
  tokenizerWeights,
} from "./frozen-features.ts";
import { cachedFeatures, openCaptionedPictures } from "./picture-stage.ts";
import { CLIP_SIZES, CODEBOOK_SIZES, QFORMER_SIZES } from "./sizes.ts";

const PROBE = "probe";
/** Cells a side in which centers are looked for, and the deviation of the cross-attention's scores at the start. */
const [GRID, SHARPNESS] = [16, 2];

export const probe = defineStage({
  name: "probe",
  about: "What codes or embeddings hold of objects and backgrounds, found by a small network that reads them alone.",
  paper: "no part of it: the probe measures a frozen tokenizer",
  recipe: z.strictObject({
    ...trainingKeys,
    data: cachedPictureData,
    reads: key(z.enum(["codes", "embeddings"]).default("codes"), "vectors of the codes, or causal embeddings"),
    layers: key(count.default(3), "layers of the network"),
  }),
  needs: ["clip", "causal-qformer", "codebook"],
  sizes: [...CLIP_SIZES, ...QFORMER_SIZES, ...CODEBOOK_SIZES],
  owns: [],
  async build(c) {
    const opened = await openCaptionedPictures(c);
    const { data, config } = opened;
    const { reads, layers, seed } = c.recipe;
    const { names } = data.train;
    if (!names)
      throw new UsageError(`${c.where}: expected built-in scenes, which say where their objects are, got others.`);
    const weights = await tokenizerWeights(c);
    const causal = await causalFeatures(c, opened, await clipFeatures(c, opened, ["tokens"]), weights);
    const features = reads === "codes" ? await codeVectorFeatures(c, opened, causal) : causal;
    const vectors = reads === "codes" ? "vectors" : "y";
    const cell = config.vision.imageSize / GRID;
    const stage = probeStage({
      ...(await cachedFeatures(c, data, labelled(features, vectors, names, cell))),
      ...{ config, layers, names, cell, vectors, pictures: data.validation, runtime: c.runtime },
    });
    const p = new Params();
    stage.build(p, 1, inOnePiece);
    return { stage: { ...stage, start: sharpStart(p, seed, SHARPNESS) } };
  },
});

/** The vectors alone, and labels of centers f32 [B,N,G,G] and corners [B,2]. */
function labelled(
  { key, compute }: FrozenFeatures,
  vectors: string,
  names: readonly string[],
  cell: number,
): FrozenFeatures {
  return {
    key: hashOf("labelled", key, String(cell), ...names),
    async compute(pictures) {
      const centers = centerLabels(pictures, names, { grid: GRID, cell });
      const { shape, data } = cornerLabels(pictures);
      const corners = { shape, data: Float32Array.from(data) };
      return { ...pickValues(await compute(pictures), [vectors]), centers, corners };
    },
  };
}

interface ProbeStageOptions {
  readonly config: SeedlingConfig;
  readonly train: FeatureCache;
  readonly validation: FeatureCache;
  /** The validation pictures themselves. */
  readonly pictures: Pictures;
  readonly layers: number;
  readonly names: readonly string[];
  /** Side of a cell, px. */
  readonly cell: number;
  /** Name of the feature that is read. */
  readonly vectors: "vectors" | "y";
  readonly runtime: Runtime;
}

function probeStage(options: ProbeStageOptions): Stage {
  const { train, vectors, names } = options;
  return {
    name: "probe",
    learns: [PROBE],
    build(root, B, whole) {
      const { centers, background } = finder(root.at(PROBE), B, options);
      const centersTerm = centersLoss(centers, input("centers", [B, names.length, GRID, GRID]), whole);
      const backgroundTerm = cornersLoss(background, input("corners", [B, 2]).cast("i32"));
      const metrics = { centersLoss: centersTerm, backgroundLoss: backgroundTerm };
      return { loss: centersTerm.add(backgroundTerm), metrics };
    },
    async batch({ examples }) {
      return (await train.shuffledBatch(examples, [vectors, "centers", "corners"])).values;
    },
    evaluate: (weights) => probeScores(weights, options),
  };
}

/** Logits of centers f32 [B,N,G,G] and of the colors at both corners f32 [B,2,K], from vectors alone. Keys as of drafts. */
function finder(
  p: Params,
  B: number | "B",
  { config, vectors, names, layers }: ProbeStageOptions,
): { readonly centers: Tensor; readonly background: Tensor } {
  const width = vectors === "y" ? config.qformer.hidden : config.codebook.width;
  const D = config.qformer.hidden;
  const grid = { channels: names.length, size: GRID, cell: 2, layers };
  const x = linear(p.at("in"), input(vectors, [B, queriesOf(config), width]), D, { init: normal(width ** -0.5) });
  const cells = draftVectors(p, x, grid, config.qformer);
  const colors = linear(p.at("background"), cells.mean(1), 2 * BACKGROUND_NAMES.length, { init: normal(D ** -0.5) });
  return {
    centers: cellsToLatents(draftCells(p, cells, grid), grid).sub(RARE_CENTER),
    background: colors.reshape([-1, 2, BACKGROUND_NAMES.length]),
  };
}

/** Percent each, of all validation pictures. */
async function probeScores(weights: Weights, options: ProbeStageOptions): Promise<Record<string, number>> {
  const { validation, pictures, vectors, names, cell, runtime } = options;
  const outputs = finder(new Params().at(PROBE), "B", options);
  const program = await runtime.compile({ ...outputs }, mapWeights(weights));
  const known = { nouns: names, backgrounds: BACKGROUND_NAMES, cell, threshold: THRESHOLDS[0] ?? 0 };
  const looked: LookedAt[] = [];
  for (const { start, size } of batches(validation.count, 50)) {
    const { values } = await validation.range(start, size, [vectors]);
    const found = await program.run(values);
    const [centers, background] = [floatsOf(found, "centers"), floatsOf(found, "background")];
    for (const [b, picture] of (await take(pictures, start, size)).entries())
      looked.push({ seen: seenPicture(centers, background, GRID, known, b), shown: shownScene(picture) });
  }
  await program.close();
  return centerScores(looked, names);
}
