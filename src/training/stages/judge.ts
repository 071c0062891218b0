/**
 * Stage `judge`: a small convolutional network that finds objects and backgrounds in pictures. It learns from real scenes
 * only, no other stage reads it and no model folder holds it, so that it can measure what decoded and drawn pictures show.
 * Its folder is what `seedling eval --judge-run` opens. Ours; it stands in for a human viewer.
 */
import { join } from "node:path";
import { z } from "zod";
import { UsageError } from "../../base/errors.ts";
import { BACKGROUND_NAMES } from "../../data/colors.ts";
import { seenPicture } from "../../evaluation/metrics/centers.ts";
import { input, Params } from "../../graph/index.ts";
import { writeFileAtomic } from "../../io/files.ts";
import { hashOf } from "../../io/hash.ts";
import { JUDGE, JUDGE_CELL, JUDGE_FILE, type JudgeConfig, judge as judgeModel } from "../../models/judge.ts";
import { mapWeights, type Runtime } from "../../runtime/index.ts";
import { atMost, type Pictures, take, takeThose } from "../data/pictures.ts";
import { plainPixels } from "../data/pixels.ts";
import type { Stage } from "../loop/loop.ts";
import { batches, floatsOf } from "../loop/values.ts";
import { centerLabels, centersLoss, cornerLabels, cornersLoss } from "../losses/centers.ts";
import { pictureData } from "../recipe/picture-keys.ts";
import { count, key, trainingKeys, weight } from "../recipe/training-keys.ts";
import { centerScores, type LookedAt, shownScene, THRESHOLDS } from "./center-scores.ts";
import { defineStage, type Weights } from "./definition.ts";

export const judge = defineStage({
  name: "judge",
  about: "A judge of pictures, trained on real scenes only: which objects are where, and which colors are behind them.",
  paper: "no part of it: the judge measures decoded and drawn pictures, and nothing is trained by it",
  recipe: z.strictObject({
    ...trainingKeys,
    data: pictureData,
    sizes: key(
      z.strictObject({
        imageSize: key(count.multipleOf(16).default(64), "side of the pictures, px"),
        widths: key(
          z.tuple([count, count, count]).default([48, 96, 160]),
          "channels at a half, a quarter and an eighth of the size",
        ),
        groups: key(count.default(16), "groups of the group norms, which divide the widths"),
      }),
      "sizes of the network, which are not those of the model",
    ),
    backgroundWeight: key(weight.default(1), "weight of the background's colors in the loss"),
  }),
  needs: [],
  owns: [],
  async build(c) {
    const { data: wanted, sizes, backgroundWeight } = c.recipe;
    const { imageSize: size, widths, groups } = sizes;
    if (!c.sources.pictures) throw new UsageError(`${c.where}: expected pictures to train on, got none.`);
    const { train, validation } = await c.sources.pictures(wanted, size, c.examples, c);
    if (!train.names)
      throw new UsageError(`${c.where}: expected built-in scenes, which say where their objects are, got others.`);
    c.dependsOn("data", hashOf(train.identity));
    const config: JudgeConfig = { size, widths, groups, nouns: train.names, backgrounds: BACKGROUND_NAMES };
    const validationCount = atMost(validation, wanted.validation);
    return {
      stage: judgeStage({ config, train, validation, validationCount, backgroundWeight, runtime: c.runtime }),
      async finish({ scores: { threshold } }) {
        const json = { format: "seedling-judge-1", ...config, threshold };
        await writeFileAtomic(join(c.stageFolder, JUDGE_FILE), `${JSON.stringify(json, null, 2)}\n`);
      },
    };
  },
});

interface JudgeStageOptions {
  readonly config: JudgeConfig;
  readonly train: Pictures;
  readonly validation: Pictures;
  readonly validationCount: number;
  readonly backgroundWeight: number;
  readonly runtime: Runtime;
}

function judgeStage(options: JudgeStageOptions): Stage {
  const { config, train, backgroundWeight } = options;
  const { size, nouns } = config;
  const cells = { grid: size / JUDGE_CELL, cell: JUDGE_CELL };
  return {
    name: "judge",
    learns: [JUDGE],
    build(root, B, whole) {
      const { centers, background } = judgeModel(root.at(JUDGE), input("pixels", [B, 3, size, size]), config);
      const labels = input("centers", [B, nouns.length, cells.grid, cells.grid]);
      const centersTerm = centersLoss(centers, labels, whole);
      const backgroundTerm = cornersLoss(background, input("corners", [B, 2], "i32"));
      return {
        loss: centersTerm.add(backgroundTerm.mul(backgroundWeight)),
        metrics: { centersLoss: centersTerm, backgroundLoss: backgroundTerm },
      };
    },
    async batch({ examples }) {
      const pictures = await takeThose(train, examples);
      return {
        pixels: plainPixels(pictures, size),
        centers: centerLabels(pictures, nouns, cells),
        corners: cornerLabels(pictures),
      };
    },
    evaluate: (weights) => judgeScores(weights, options),
  };
}

/** Percent each, at the threshold of the best F1 of objects, which is among them. */
async function judgeScores(
  weights: Weights,
  { config, validation, validationCount, runtime }: JudgeStageOptions,
): Promise<Record<string, number>> {
  const { size, nouns, backgrounds } = config;
  const outputs = judgeModel(new Params().at(JUDGE), input("pixels", ["B", 3, size, size]), config);
  const program = await runtime.compile({ ...outputs }, mapWeights(weights));
  const names = { nouns, backgrounds, cell: JUDGE_CELL, threshold: THRESHOLDS[0] ?? 0 };
  const looked: LookedAt[] = [];
  for (const { start, size: count } of batches(validationCount, 50)) {
    const pictures = await take(validation, start, count);
    const values = await program.run({ pixels: plainPixels(pictures, size) });
    const [centers, background] = [floatsOf(values, "centers"), floatsOf(values, "background")];
    for (const [b, picture] of pictures.entries())
      looked.push({ seen: seenPicture(centers, background, size / JUDGE_CELL, names, b), shown: shownScene(picture) });
  }
  await program.close();
  return centerScores(looked, nouns);
}
