/** Which scores on which scenes: the command `eval`. Test seeds and the held-out style are never trained or tuned on. */
import {
  type Atlas,
  createSceneSource,
  isHeldOutConcept,
  pixelNearestNeighbor,
  type SceneSource,
  singleSprite,
  spritesOf,
  TRAIN_STYLES,
} from "../data/index.ts";
import { onePhrase } from "../data/phrases.ts";
import type { SeedTokenizer } from "../image-tokenizer/seed-tokenizer.ts";
import { type SpeedRequest, speedInFreshProcess } from "./fresh-process.ts";
import { nounList } from "./metrics/noun-list.ts";
import {
  codebookScores,
  firstScenes,
  imageOf,
  namingScores,
  pixelRetrieval,
  reconstructionScores,
  retrievalScores,
  scenesPerSecond,
} from "./scores.ts";

export const SECTIONS = ["retrieval", "naming", "codebook", "reconstruction", "speed"] as const;
export type Section = (typeof SECTIONS)[number];

export interface ScorecardOptions {
  /** The drawings that scenes are made of. */
  readonly atlas: Atlas;
  /** The first n everyday nouns; 0 for the full table. */
  readonly nouns: number;
  /** First seed of the scenes; those of training stay. Default 0. */
  readonly offset?: number;
  readonly count: number;
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
  /** Called when a section begins, and while it lasts if its parts can be counted. */
  readonly onProgress?: CardProgress;
}

/** `label` is what is measured now: `done` of `total` parts, if they can be counted. */
export type CardProgress = (label: string, done?: number, total?: number) => void;

export async function scorecard(
  tokenizer: SeedTokenizer,
  sections: readonly Section[],
  options: ScorecardOptions,
): Promise<Record<string, unknown>> {
  const { atlas, offset = 0, count, pictures, stylePictures, codesCount, judge, onProgress } = options;
  const nouns = nounList(options.nouns);
  const size = tokenizer.config.vision.imageSize;
  const source = (split: "train" | "test" | "held-out-style" | "held-out-pairs"): SceneSource =>
    createSceneSource(atlas, { size, nouns, split, questions: false, offset: split === "train" ? 0 : offset });
  const scores: Record<string, unknown> = { nouns: nouns.filter((n) => !isHeldOutConcept(n)).length };
  if (offset > 0) scores.offset = offset;

  const baseline = sections.some((section) => section === "retrieval" || section === "reconstruction");
  const gallery = baseline ? firstScenes(source("train"), options.gallery) : [];

  if (sections.includes("retrieval")) {
    for (const split of ["test", "held-out-style", "held-out-pairs"] as const) {
      onProgress?.(`retrieval, ${split}`);
      const scenes = firstScenes(source(split), count);
      scores[`retrieval ${split}`] = {
        ...(await retrievalScores(tokenizer, scenes)),
        pixels: pixelRetrieval(scenes, gallery),
      };
    }
  }
  if (sections.includes("naming")) {
    onProgress?.("naming");
    const known = nouns.filter((n) => !isHeldOutConcept(n));
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
  if (sections.includes("codebook")) {
    onProgress?.("codebook", 0, codesCount);
    scores.codebook = {
      pictures: codesCount,
      ...(await codebookScores(tokenizer, source("test"), codesCount, { onProgress })),
    };
  }
  if (sections.includes("reconstruction")) {
    for (const [split, name, n] of [
      ["test", "reconstruction", pictures],
      ["held-out-style", "reconstruction held-out-style", stylePictures],
    ] as const) {
      scores[name] = await reconstructionScores(tokenizer, firstScenes(source(split), n), {
        keep: [4, 8, 16],
        gallery,
        judge,
        onProgress: (what, at, total) => onProgress?.(`${name}, ${what}`, at, total),
      });
    }
  }
  if (sections.includes("speed")) {
    onProgress?.("speed, in a fresh process");
    const images = firstScenes(source("test"), 256).map(imageOf);
    const speed = await speedInFreshProcess({ ...options.fresh, images });
    scores.speed = { ...speed, scenesPerSecond: scenesPerSecond(source("train")) };
  }
  return scores;
}
