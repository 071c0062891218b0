/** Which scores on which scenes: the command `eval`. Test seeds and the held-out style are never trained or tuned on. */
import {
  type Atlas,
  createSceneSource,
  isHeldOutConcept,
  pixelNearestNeighbor,
  type SceneSource,
  type Split,
  singleSprite,
  spritesOf,
  TRAIN_STYLES,
} from "../data/index.ts";
import { onePhrase } from "../data/phrases.ts";
import type { SeedTokenizer } from "../image-tokenizer/seed-tokenizer.ts";
import { DecodedScenes } from "./decoded-scenes.ts";
import { eyesSheet } from "./eyes-sheet.ts";
import { type SpeedRequest, speedInFreshProcess } from "./fresh-process.ts";
import type { Judge } from "./judge.ts";
import { judgedReconstruction } from "./judged.ts";
import { nounList } from "./metrics/noun-list.ts";
import { pairScores } from "./pair-scores.ts";
import { reconstructionScores } from "./reconstruction.ts";
import { robustnessScores } from "./robustness.ts";
import {
  codebookScores,
  firstScenes,
  imageOf,
  namingScores,
  pixelRetrieval,
  retrievalScores,
  scenesPerSecond,
} from "./scores.ts";

export const SECTIONS = [
  "retrieval",
  "naming",
  "pairs",
  "robustness",
  "codebook",
  "reconstruction",
  "judged",
  "speed",
] as const;
export type Section = (typeof SECTIONS)[number];

export interface ScorecardOptions {
  /** The drawings that scenes are made of. */
  readonly atlas: Atlas;
  /** The first n everyday nouns; 0 for the full table. */
  readonly nouns: number;
  /** First seed of the scenes; training scenes keep their seeds. Default 0. */
  readonly offset?: number;
  readonly count: number;
  /** Candidates of one more retrieval among test scenes. Default 0: none. */
  readonly candidates?: number;
  /** Minimal pairs of each kind. Default 500. */
  readonly pairs?: number;
  /** Scenes that are decoded, of the test seeds and of the held-out style. */
  readonly pictures: number;
  readonly stylePictures: number;
  readonly codesCount: number;
  /** Training pictures among which the pixel baselines look. */
  readonly gallery: number;
  /** What a fresh process opens to measure speed. */
  readonly fresh: Omit<SpeedRequest, "images">;
  /** Whose CLIP pair compares decoded pictures. Default the model's own. */
  readonly judge?: SeedTokenizer;
  /** Names what decoded pictures show; without it `judged` is left out. */
  readonly pictureJudge?: Judge;
  /** Takes the sheets of the first scenes, if they are wanted. */
  readonly onSheet?: (part: "whole" | "decoded" | "drafts", png: Uint8Array) => Promise<void>;
  /** Called when a section begins, and while it lasts if its parts can be counted. */
  readonly onProgress?: CardProgress;
}

/** `label` is the current measurement: `done` of `total` parts, if they can be counted. */
export type CardProgress = (label: string, done?: number, total?: number) => void;

export async function scorecard(
  tokenizer: SeedTokenizer,
  sections: readonly Section[],
  options: ScorecardOptions,
): Promise<Record<string, unknown>> {
  const { atlas, offset = 0, count, pictures, stylePictures, codesCount, judge, onProgress } = options;
  const { candidates = 0, pairs = 500, pictureJudge, onSheet } = options;
  const nouns = nounList(options.nouns);
  const known = nouns.filter((noun) => !isHeldOutConcept(noun));
  const size = tokenizer.config.vision.imageSize;
  const source = (split: Split): SceneSource =>
    createSceneSource(atlas, { size, nouns, split, questions: false, offset: split === "train" ? 0 : offset });
  const scores: Record<string, unknown> = { nouns: known.length };
  if (offset > 0) scores.offset = offset;

  const baseline = sections.some((section) => section === "retrieval" || section === "reconstruction");
  const gallery = baseline ? firstScenes(source("train"), options.gallery) : [];

  if (sections.includes("retrieval")) {
    // A concept that no training picture shows needs others next to it.
    const concepts = nouns.length - known.length > 1 ? (["held-out-concepts"] as const) : [];
    for (const split of ["test", "held-out-style", "held-out-pairs", ...concepts] as const) {
      onProgress?.(`retrieval, ${split}`);
      const scenes = firstScenes(source(split), count);
      scores[`retrieval ${split}`] = {
        ...(await retrievalScores(tokenizer, scenes)),
        pixels: pixelRetrieval(scenes, gallery),
      };
    }
    if (candidates > 0) {
      onProgress?.(`retrieval among ${candidates}`);
      scores[`retrieval among ${candidates}`] = await retrievalScores(
        tokenizer,
        firstScenes(source("test"), candidates),
      );
    }
  }
  if (sections.includes("naming")) {
    onProgress?.("naming");
    const captions = known.map((noun) => ({ noun, caption: onePhrase(noun) }));
    const gallery = TRAIN_STYLES.flatMap((style) => spritesOf(atlas, known, style));
    for (const style of ["openmoji", "emojione-v1", "streamline-emojis"] as const) {
      const sprites = spritesOf(atlas, known, style);
      if (sprites.length === 0) continue;
      const shown = sprites.map((sprite) => singleSprite(sprite, size));
      const floor = pixelNearestNeighbor(gallery, sprites);
      scores[`naming ${style}`] = {
        embeddings: await namingScores(tokenizer, shown, captions, "embeddings"),
        codes: await namingScores(tokenizer, shown, captions, "codes"),
        pixels: { ...floor, top1: 100 * floor.top1, top5: 100 * floor.top5 },
      };
    }
  }
  if (sections.includes("pairs")) {
    onProgress?.("minimal pairs");
    scores.pairs = await pairScores(tokenizer, source("test"), pairs);
  }
  if (sections.includes("robustness")) {
    onProgress?.("robustness");
    const progress = (what: string, at: number, total: number) => onProgress?.(`robustness, ${what}`, at, total);
    scores.robustness = await robustnessScores(tokenizer, source("test"), count, progress);
  }
  if (sections.includes("codebook")) {
    onProgress?.("codebook", 0, codesCount);
    scores.codebook = {
      pictures: codesCount,
      ...(await codebookScores(tokenizer, source("test"), codesCount, { onProgress })),
    };
  }
  // Decoding takes longest, so the sections share it.
  const decoded = (split: Split, name: string, n: number): DecodedScenes =>
    new DecodedScenes(tokenizer, firstScenes(source(split), n), {
      onProgress: (what, at, total) => onProgress?.(`${name}, ${what}`, at, total),
    });
  const test = decoded("test", "decoding", pictures);
  if (sections.includes("reconstruction")) {
    const compared = { keep: [4, 8, 16], gallery, judge };
    scores.reconstruction = await reconstructionScores(test, compared);
    const style = decoded("held-out-style", "decoding held-out-style", stylePictures);
    scores["reconstruction held-out-style"] = await reconstructionScores(style, compared);
  }
  if (sections.includes("judged") && pictureJudge) {
    onProgress?.("judging");
    const { judged, shares } = await judgedReconstruction(test, pictureJudge);
    scores.judged = { pictures, ...judged };
    scores["judged, share of the originals"] = shares;
  }
  if (onSheet) {
    onProgress?.("drawing the sheets");
    for (const [part, png] of await eyesSheet(test)) await onSheet(part, png);
  }
  if (sections.includes("speed")) {
    onProgress?.("speed, in a fresh process");
    const images = firstScenes(source("test"), 256).map(imageOf);
    const speed = await speedInFreshProcess({ ...options.fresh, images });
    scores.speed = { ...speed, scenesPerSecond: scenesPerSecond(source("train")) };
  }
  return scores;
}
