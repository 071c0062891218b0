/** What the stages of pictures share: their data, the tokenizer of captions, and caches of frozen features. */
import { join } from "node:path";
import { SetupError, UsageError } from "../../base/errors.ts";
import { isMissing, writeFileAtomic } from "../../io/files.ts";
import { hashOf } from "../../io/hash.ts";
import type { SeedlingConfig } from "../../models/config.ts";
import { CaptionTokenizer, splitWords, wordLevelTokenizer } from "../../text/index.ts";
import { readJsonFile } from "../../weights/index.ts";
import { cacheFeatures, type FeatureCache } from "../data/feature-cache.ts";
import { atMost, type Pictures, type TrainingData } from "../data/pictures.ts";
import { Breath } from "../loop/breath.ts";
import type { ModelSizes } from "../recipe/model-sizes.ts";
import type { PictureData } from "../recipe/picture-keys.ts";
import type { StageContext } from "./definition.ts";
import type { FrozenFeatures } from "./frozen-features.ts";

export type PictureContext = StageContext<{ readonly data: PictureData }>;

/** Pictures and sizes of a stage that reads no captions. */
export async function openPictures(c: PictureContext): Promise<{
  readonly sizes: ModelSizes;
  /** Side of the pictures, px. */
  readonly size: number;
  readonly data: TrainingData;
}> {
  const sizes = c.sizes();
  const size = sizes.config(1).vision.imageSize;
  if (!c.sources.pictures) throw new UsageError(`${c.where}: expected pictures to train on, got none.`);
  const data = await c.sources.pictures(c.recipe.data, size, c.examples, c);
  c.dependsOn("data", hashOf(data.train.identity));
  return { sizes, size, data };
}

/** The same with the tokenizer of captions. @param mayMake makes the tokenizer if the run has none */
export async function openCaptionedPictures(
  c: PictureContext,
  mayMake = false,
): Promise<{
  readonly sizes: ModelSizes;
  readonly size: number;
  readonly data: TrainingData;
  readonly tokenizer: CaptionTokenizer;
  readonly config: SeedlingConfig;
}> {
  const opened = await openPictures(c);
  const tokenizer = await captionTokenizer(c, opened.data, mayMake);
  return { ...opened, tokenizer, config: opened.sizes.config(tokenizer.size) };
}

async function captionTokenizer(c: PictureContext, data: TrainingData, mayMake: boolean): Promise<CaptionTokenizer> {
  const path = join(c.root, "tokenizer.json");
  const open = (json: unknown): CaptionTokenizer => {
    c.dependsOn("tokenizer", hashOf(JSON.stringify(json)));
    return new CaptionTokenizer(json as Record<string, unknown>);
  };
  try {
    return open(await readJsonFile(path, 16e6));
  } catch (error) {
    if (!isMissing(error)) throw error;
    if (!mayMake)
      throw new SetupError(`${path}: expected the tokenizer of stage clip, found none. Run that stage first.`);
  }
  c.onProgress?.("collecting the words of captions");
  const words = new Set<string>();
  const breath = new Breath(c.signal);
  for (const text of data.words()) {
    for (const word of splitWords(text)) words.add(word);
    await breath.take();
  }
  const json = wordLevelTokenizer(words);
  await writeFileAtomic(path, `${JSON.stringify(json, null, 1)}\n`);
  return open(json);
}

/** Frozen features of the training and of the validation pictures, computed once. */
export async function cachedFeatures(
  c: PictureContext,
  data: TrainingData,
  train: FrozenFeatures,
  validation = train,
): Promise<{ readonly train: FeatureCache; readonly validation: FeatureCache }> {
  return {
    train: await cachedPart(c, data.train, c.recipe.data.cached ?? Number.POSITIVE_INFINITY, train),
    validation: await cachedPart(c, data.validation, c.recipe.data.validation, validation),
  };
}

/** Frozen features of at most `count` pictures. */
export async function cachedPart(
  c: PictureContext,
  pictures: Pictures,
  count: number,
  features: FrozenFeatures,
): Promise<FeatureCache> {
  return c.closing(await cached(c, pictures, atMost(pictures, count), features));
}

/** What follows from other features is computed from their cache, which an earlier stage may have filled. */
async function cached(
  c: PictureContext,
  pictures: Pictures,
  count: number,
  { key, compute, derived }: FrozenFeatures,
): Promise<FeatureCache> {
  const { signal, onProgress } = c;
  const folder = join(derived ? c.root : c.shared, "features");
  const from = derived && (await cached(c, pictures, count, derived.from));
  return cacheFeatures({
    ...{ folder, pictures, count, key, compute, signal, onProgress },
    derived: from && { from, derive: derived.derive },
  });
}
