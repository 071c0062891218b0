/** Which scores on which scenes: the command `eval`. Test seeds and the held-out style are never trained or tuned on. */
import { openAtlas } from "../data/atlas.ts";
import {
  createSceneSource,
  everydayNouns,
  isHeldOutConcept,
  pixelNearestNeighbour,
  type SceneSource,
  singleSprite,
  spritesOf,
  TRAIN_STYLES,
} from "../data/index.ts";
import { onePhrase } from "../data/phrases.ts";
import type { SeedTokenizer } from "../seed-tokenizer.ts";
import {
  codebookScores,
  firstScenes,
  imageOf,
  namingScores,
  pixelRetrieval,
  reconstructionScores,
  retrievalScores,
} from "./scores.ts";

export const SECTIONS = ["retrieval", "naming", "codebook", "reconstruction", "speed"] as const;
export type Section = (typeof SECTIONS)[number];

export interface ScorecardOptions {
  readonly count: number;
  readonly pictures: number;
  readonly codesCount: number;
  readonly nouns: number;
  readonly report?: (line: string) => void;
}

/** Training pictures among which the pixel baseline looks. */
const GALLERY = 5000;

export async function scorecard(
  tokenizer: SeedTokenizer,
  sections: readonly Section[],
  options: ScorecardOptions,
): Promise<Record<string, unknown>> {
  const { count, pictures, codesCount, report } = options;
  const atlas = await openAtlas();
  const nouns = everydayNouns(options.nouns);
  const size = tokenizer.config.vision.imageSize;
  const source = (split: "train" | "test" | "held-out-style" | "held-out-pairs"): SceneSource =>
    createSceneSource(atlas, { size, nouns, split, questions: false });
  const done = (what: string): void => report?.(`${what} done`);
  const scores: Record<string, unknown> = { nouns: nouns.filter((n) => !isHeldOutConcept(n)).length };

  if (sections.includes("retrieval")) {
    const gallery = firstScenes(source("train"), GALLERY);
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
      const shown = sprites.map((sprite) => singleSprite(sprite, size));
      const floor = pixelNearestNeighbour(gallery, sprites);
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
    scores.reconstruction = await reconstructionScores(tokenizer, firstScenes(source("test"), pictures), [4, 8, 16], {
      onProgress,
    });
    done("reconstruction");
  }
  if (sections.includes("speed")) scores.speed = await speed(tokenizer, firstScenes(source("test"), 256).map(imageOf));
  return scores;
}

/** Pictures per second in batches, milliseconds of one picture (median of 20), peak memory. */
async function speed(
  tokenizer: SeedTokenizer,
  images: Parameters<SeedTokenizer["encode"]>[0],
): Promise<Record<string, number>> {
  const started = performance.now();
  await tokenizer.encode(images.slice(0, 1));
  const firstMs = performance.now() - started;
  await tokenizer.encode(images.slice(0, 64), { batch: 64 });
  const begin = performance.now();
  await tokenizer.encode(images, { batch: 64 });
  const picturesPerSecond = (1000 * images.length) / (performance.now() - begin);
  const times: number[] = [];
  for (let i = 0; i < 20; i++) {
    const t = performance.now();
    await tokenizer.encode(images.slice(i, i + 1));
    times.push(performance.now() - t);
  }
  const latencyMs = times.sort((a, b) => a - b)[10]!;
  return { firstMs, picturesPerSecond, latencyMs, peakMemoryMb: process.resourceUsage().maxRSS / 1024 };
}
