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
  readonly count: number;
  /** Scenes that are painted, of the test seeds and of the held-out style. */
  readonly pictures: number;
  readonly stylePictures: number;
  readonly codesCount: number;
  /** Training pictures among which the pixel baselines look. */
  readonly gallery: number;
  /** What a fresh process opens to measure speed. */
  readonly fresh: Omit<SpeedRequest, "images">;
  /** Whose CLIP pair compares paintings. Default the model's own. */
  readonly judge?: SeedTokenizer;
  readonly report?: (line: string) => void;
}

export async function scorecard(
  tokenizer: SeedTokenizer,
  sections: readonly Section[],
  options: ScorecardOptions,
): Promise<Record<string, unknown>> {
  const { atlas, count, pictures, stylePictures, codesCount, judge, report } = options;
  const nouns = nounList(options.nouns);
  const size = tokenizer.config.vision.imageSize;
  const source = (split: "train" | "test" | "held-out-style" | "held-out-pairs"): SceneSource =>
    createSceneSource(atlas, { size, nouns, split, questions: false });
  const done = (what: string): void => report?.(`${what} done`);
  const scores: Record<string, unknown> = { nouns: nouns.filter((n) => !isHeldOutConcept(n)).length };

  const baseline = sections.some((section) => section === "retrieval" || section === "reconstruction");
  const gallery = baseline ? firstScenes(source("train"), options.gallery) : [];

  if (sections.includes("retrieval")) {
    for (const split of ["test", "held-out-style", "held-out-pairs"] as const) {
      const scenes = firstScenes(source(split), count);
      scores[`retrieval ${split}`] = {
        ...(await retrievalScores(tokenizer, scenes)),
        pixels: pixelRetrieval(scenes, gallery),
      };
      done(`retrieval ${split}`);
    }
  }
  if (sections.includes("naming")) {
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
    done("naming");
  }
  if (sections.includes("codebook")) {
    scores.codebook = { pictures: codesCount, ...(await codebookScores(tokenizer, source("test"), codesCount)) };
    done("codebook");
  }
  if (sections.includes("reconstruction")) {
    let last = 0;
    const onProgress = (what: string, at: number, total: number): void => {
      if (Date.now() - last > 10_000) report?.(`reconstruction, ${what}: ${at}/${total}`);
      if (Date.now() - last > 10_000) last = Date.now();
    };
    for (const [split, name, n] of [
      ["test", "reconstruction", pictures],
      ["held-out-style", "reconstruction held-out-style", stylePictures],
    ] as const) {
      scores[name] = await reconstructionScores(tokenizer, firstScenes(source(split), n), {
        keep: [4, 8, 16],
        gallery,
        ...(judge ? { judge } : {}),
        onProgress: (what, at, total) => onProgress(`${split}, ${what}`, at, total),
      });
      done(name);
    }
  }
  if (sections.includes("speed")) {
    const images = firstScenes(source("test"), 256).map(imageOf);
    const speed = await speedInFreshProcess({ ...options.fresh, images });
    scores.speed = { ...speed, scenesPerSecond: scenesPerSecond(source("train")) };
    done("speed");
  }
  return scores;
}
