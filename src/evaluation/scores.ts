/**
 * The scorecard of a model folder on built-in scenes: the rows of the paper's tables at laptop size, each with its
 * trivial baseline. arXiv 2307.08041 Tables 1 and 2.
 */

import { item } from "../base/item.ts";
import { dot } from "../base/vectors.ts";
import type { Scene, SceneSource, SpritePicture } from "../data/index.ts";
import type { RgbImage } from "../image/index.ts";
import type { SeedTokenizer } from "../image-tokenizer/seed-tokenizer.ts";
import { splitWords } from "../text/index.ts";
import { type CodebookHealth, codebookHealth } from "./metrics/codebook-health.ts";
import { nearestByPixels } from "./metrics/pixel-neighbors.ts";
import { type RetrievalScores, rankedRetrieval, retrieval } from "./metrics/retrieval.ts";

export interface Progress {
  readonly signal?: AbortSignal;
  readonly onProgress?: (what: string, done: number, total: number) => void;
}

export function imageOf({ pixels, size }: { readonly pixels: Uint8Array; readonly size: number }): RgbImage {
  return { width: size, height: size, data: pixels };
}

/** The first `count` scenes of a source. */
export function firstScenes(source: SceneSource, count: number): Scene[] {
  return Array.from({ length: count }, (_, seed) => source.scene(seed));
}

/** How fast training pictures are drawn, on one core: no stage should have to wait for them. */
export function scenesPerSecond(source: SceneSource): number {
  const [warm, count] = [128, 512];
  for (let seed = 0; seed < warm; seed++) source.scene(seed); // until the code is compiled
  const begin = performance.now();
  for (let seed = 0; seed < count; seed++) source.scene(warm + seed);
  return (1000 * count) / (performance.now() - begin);
}

export interface SceneRetrieval {
  readonly embeddings: RetrievalScores;
  readonly codes: RetrievalScores;
  /** Share of the embeddings' mean recall that the codes keep, percent. */
  readonly keptPercent: number;
}

/** Retrieval by causal embeddings and by codes alone. */
export async function retrievalScores(tokenizer: SeedTokenizer, scenes: readonly Scene[]): Promise<SceneRetrieval> {
  const captions = scenes.map((s) => s.caption);
  const images = scenes.map(imageOf);
  const texts = await tokenizer.embedText(captions, { batch: 64 });
  const embeddings = retrieval(await tokenizer.embed(images, { batch: 64 }), texts, captions);
  const encoded = await tokenizer.encode(images, { batch: 64 });
  const recalled = await tokenizer.embedCodes(
    encoded.map((e) => e.codes),
    { batch: 64 },
  );
  const codes = retrieval(recalled, texts, captions);
  return { embeddings, codes, keptPercent: (100 * codes.mean) / embeddings.mean };
}

/**
 * The baseline without a model: a picture is given the caption of the nearest training picture (16 x 16 pixels), and
 * captions are ranked by the share of words they have in common with it.
 */
export function pixelRetrieval(scenes: readonly Scene[], gallery: readonly Scene[]): RetrievalScores {
  const words = (text: string): Set<string> => new Set(splitWords(text));
  const guesses = nearestByPixels(scenes.map(imageOf), gallery.map(imageOf)).map((i) =>
    words(item(gallery, i).caption),
  );
  const sets = scenes.map((s) => words(s.caption));
  const overlap = (a: Set<string>, b: Set<string>): number => {
    const common = [...a].filter((w) => b.has(w)).length;
    return common / (a.size + b.size - common);
  };
  return rankedRetrieval(
    scenes.map((s) => s.caption),
    (i, j) => overlap(item(guesses, i), item(sets, j)),
  );
}

export interface NamingScores {
  readonly pictures: number;
  /** Percent. */
  readonly top1: number;
  readonly top5: number;
}

/** Each sprite is given the nearest of all nouns' captions. `vectors` are embeddings of the pictures, unit. */
export async function namingScores(
  tokenizer: SeedTokenizer,
  sprites: readonly SpritePicture[],
  nouns: readonly { readonly noun: string; readonly caption: string }[],
  by: "embeddings" | "codes",
): Promise<NamingScores> {
  const images = sprites.map(imageOf);
  const texts = await tokenizer.embedText(
    nouns.map((n) => n.caption),
    { batch: 64 },
  );
  const vectors =
    by === "embeddings"
      ? await tokenizer.embed(images, { batch: 64 })
      : await tokenizer.embedCodes(
          (await tokenizer.encode(images, { batch: 64 })).map((e) => e.codes),
          { batch: 64 },
        );
  let [top1, top5] = [0, 0];
  for (const [i, sprite] of sprites.entries()) {
    const ranked = nouns.map(({ noun }, j) => ({ noun, score: dot(item(vectors, i), item(texts, j)) }));
    ranked.sort((a, b) => b.score - a.score);
    const place = ranked.findIndex(({ noun }) => noun === sprite.noun);
    top1 += Number(place === 0);
    top5 += Number(place >= 0 && place < 5);
  }
  return { pictures: sprites.length, top1: (100 * top1) / sprites.length, top5: (100 * top5) / sprites.length };
}

/** Usage, perplexity and entropy per position over many scenes. */
export async function codebookScores(
  tokenizer: SeedTokenizer,
  source: SceneSource,
  count: number,
  { signal, onProgress }: Progress = {},
): Promise<CodebookHealth> {
  const ids = new Int32Array(count * 32);
  const chunk = 256;
  for (let at = 0; at < count; at += chunk) {
    signal?.throwIfAborted();
    const images = Array.from({ length: Math.min(chunk, count - at) }, (_, i) => imageOf(source.scene(at + i)));
    for (const [i, { codes }] of (await tokenizer.encode(images, { batch: 64 })).entries())
      ids.set(codes, (at + i) * 32);
    onProgress?.("codebook", at + images.length, count);
  }
  return codebookHealth(ids, tokenizer.codebookSize);
}
