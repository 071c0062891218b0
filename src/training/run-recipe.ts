/** Runs one recipe: data, frozen parts and caches, the stage, the loop, and the weights at the end. */
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { InputError, SetupError } from "../base/errors.ts";
import { input, Params } from "../graph/index.ts";
import { vaeEncoderGraph } from "../image-tokenizer/graphs.ts";
import { isMissing, makeFolder, writeFileAtomic } from "../io/files.ts";
import { pooledImageEmbedding } from "../models/clip.ts";
import { clipText } from "../models/clip-pair.ts";
import { type SeedlingConfig, seedConfig } from "../models/config.ts";
import { textFeature, textHidden } from "../models/contrastive.ts";
import { evaVit, type VitConfig } from "../models/eva-vit.ts";
import type { PixelVaeConfig } from "../models/pixel-vae.ts";
import { causalEmbeddings, visionNorm } from "../models/seed-tokenizer.ts";
import { type Device, mapWeights, Runtime, type Values } from "../runtime/index.ts";
import { CaptionTokenizer, splitWords, wordLevelTokenizer } from "../text/index.ts";
import { openSafetensors, readJsonFile, writeSafetensors } from "../weights/index.ts";
import { cacheFeatures, type FeatureCache, hashOf } from "./data/feature-cache.ts";
import { clipKey, latentsKey, seedKey } from "./data/feature-keys.ts";
import type { Picture, Pictures } from "./data/pictures.ts";
import { type LogLine, type LoopResult, type Stage, trainLoop } from "./loop/loop.ts";
import { placeLabels } from "./losses/patch-labels.ts";
import { loadRecipe, loopSettings, type Recipe } from "./recipe.ts";
import { qformerStage } from "./stages/causal-qformer.ts";
import { clipStage, pixelFeed } from "./stages/clip.ts";
import { codebookStage } from "./stages/codebook.ts";
import { diffusionStage } from "./stages/diffusion.ts";
import { type Clip, sampleSheets } from "./stages/diffusion-samples.ts";
import { plainPixels, vaeStage } from "./stages/vae.ts";

/** Training and validation pictures of a recipe, and the words they can speak of. */
export interface TrainingData {
  readonly train: Pictures;
  readonly validation: Pictures;
  /** Texts whose words make the vocabulary. */
  readonly words: () => Iterable<string>;
}

export interface RunRecipeOptions {
  readonly recipe: string;
  /** Folder of the whole chain; each stage has a folder in it and finds earlier ones there. */
  readonly root: string;
  readonly data: (recipe: Recipe["data"], size: number, steps: number) => Promise<TrainingData>;
  readonly device?: Device;
  readonly threads?: number;
  readonly resume?: boolean;
  /** Fewer steps than the recipe says, for trying out. */
  readonly steps?: number;
  readonly signal?: AbortSignal;
  readonly onLine?: (line: LogLine) => void;
}

type Weights = Map<string, Float32Array>;

export async function runRecipe(options: RunRecipeOptions): Promise<LoopResult> {
  const { root, signal } = options;
  const { recipe, sizes, identity } = await loadRecipe(options.recipe);
  const steps = options.steps ?? recipe.steps;
  const imageSize = (sizes.config(1).vision as VitConfig).imageSize;
  const data = await options.data(recipe.data, imageSize, steps * recipe.batch * recipe.accumulate);
  await makeFolder(root);
  const tokenizer = await sharedTokenizer(
    join(root, "tokenizer.json"),
    data,
    recipe.stage === "clip" && !recipe.continues,
  );
  const config = sizes.config(tokenizer.size);
  const runtime = new Runtime({ device: options.device ?? "cpu", threads: options.threads ?? availableParallelism() });
  const run = join(root, recipe.name ?? recipe.stage);
  const closing: FeatureCache[] = [];
  const cache = async (pictures: Pictures, count: number, features: Features): Promise<FeatureCache> => {
    const opened = await cacheFeatures({
      folder: join(root, "features"),
      pictures,
      count,
      key: features.key,
      compute: features.compute,
      ...(signal ? { signal } : {}),
      onProgress: (done, total) => options.onLine?.({ features: done, of: total }),
    });
    closing.push(opened);
    return opened;
  };
  try {
    const built = await buildStage();
    const stage = recipe.continues
      ? { ...built, start: await loadWeights(join(root, recipe.continues, "weights.safetensors")) }
      : built;
    const result = await trainLoop(stage, {
      run,
      runtime,
      identity: hashOf(identity, data.train.identity, ...startHash(stage.start ?? new Map()), String(steps)),
      ...loopSettings(recipe, steps),
      resume: options.resume ?? false,
      ...(signal ? { signal } : {}),
      ...(options.onLine ? { onLine: options.onLine } : {}),
    });
    if (result.finished) await saveWeights(join(run, "weights.safetensors"), result);
    return result;
  } finally {
    await Promise.all(closing.map((c) => c.close()));
    await runtime.close();
  }

  async function buildStage(): Promise<Stage> {
    const { train, validation } = data;
    const things = placesWeight(recipe) > 0 ? (train.names ?? []) : [];
    if (placesWeight(recipe) > 0 && things.length === 0)
      options.onLine?.({ warning: "places is left out: these pictures do not say where things are" });
    if (recipe.stage === "clip")
      return clipStage({
        config,
        train,
        validation,
        tokenizer,
        runtime,
        validationCount: recipe.data.validation,
        words: recipe.words,
        places: things.length > 0 ? recipe.places : 0,
      });
    const clip = await loadWeights(join(root, "clip", "weights.safetensors"));
    const { vae } = sizes;
    if (recipe.stage === "vae") {
      const { validation: validationCount } = recipe.data;
      const { divergence } = recipe;
      return vaeStage({ vae, size: imageSize, train, validation, validationCount, divergence, runtime, folder: run });
    }
    const cached = recipe.data.cached;
    if (!cached) throw new InputError(`${options.recipe}: data.cached: expected a number of pictures, got none.`);
    const clipFeatures = await frozenClip(runtime, config, tokenizer, clip);
    const withPlaces = (features: Features): Features =>
      things.length > 0 ? placesBeside(features, things, imageSize / config.vision.patchSize) : features;
    if (recipe.stage === "causal-qformer") {
      return qformerStage({
        config,
        train: await cache(train, cached, withPlaces(clipFeatures)),
        validation: await cache(validation, recipe.data.validation, clipFeatures),
        tokenizer,
        runtime,
        smoothing: recipe.smoothing,
        recover: recipe.recover,
        words: recipe.words,
        places: things.length > 0 ? recipe.places : 0,
        things: things.length,
      });
    }
    if (recipe.stage === "diffusion") {
      const decoder = await loadWeights(join(root, "vae", "weights.safetensors"));
      const withLatents = await frozenLatents(runtime, vae, imageSize, decoder, clipFeatures);
      const features = await cache(train, cached, withLatents);
      const emptyText = (await clipFeatures.text([""])).text!.data as Float32Array;
      const { textShare, imageShare, maxWeight } = recipe;
      const { unet, scheduler } = sizes;
      const { noise } = scheduler as { noise: Record<string, never> };
      const stage = diffusionStage({
        config,
        unet,
        noise,
        features,
        emptyText,
        textShare,
        imageShare,
        maxWeight,
      });
      const samples = { folder: run, runtime, config, unet, vae, decoder, scheduler, clip: clipFeatures, validation };
      return { ...stage, evaluate: await sampleSheets(samples) };
    }
    const qformer = await loadWeights(join(root, "causal-qformer", "weights.safetensors"));
    const features = await frozenSeed(runtime, config, tokenizer, clipFeatures, qformer);
    const { learn, emaDecay, reviveAfter, targets, seed } = recipe;
    const weights = things.length > 0 ? recipe.weights : { ...recipe.weights, places: 0 };
    const start = recipe.continues ? "continued" : recipe.start;
    return codebookStage({
      config,
      seed,
      start,
      learn,
      emaDecay,
      reviveAfter,
      targets,
      weights,
      tokenizer,
      things: things.length,
      train: await cache(train, cached, withPlaces(features)),
      validation: await cache(validation, recipe.data.validation, features),
      runtime,
      frozen: qformer,
    });
  }
}

interface Features {
  /** Hash of all that the numbers depend on but the pictures. */
  readonly key: string;
  readonly compute: (pictures: readonly Picture[]) => Promise<Values>;
}

type ClipFeatures = Features & Clip;

function placesWeight(recipe: Recipe): number {
  return "weights" in recipe ? recipe.weights.places : "places" in recipe ? recipe.places : 0;
}

/** `places` [B,P] beside the other features: which thing is where. */
function placesBeside({ key, compute }: Features, names: readonly string[], grid: number): Features {
  return {
    key: hashOf("places", key, JSON.stringify(names)),
    compute: async (list) => ({ ...(await compute(list)), places: placeLabels(list, names, grid) }),
  };
}

/** The frozen CLIP pair: `tokens` [B,S,W], `image` [B,F] at root mean square 1, `text` [B,L,D]. */
async function frozenClip(
  runtime: Runtime,
  config: SeedlingConfig,
  tokenizer: CaptionTokenizer,
  weights: Weights,
): Promise<ClipFeatures> {
  const p = new Params();
  const { imageSize } = config.vision;
  const L = config.textEncoder.maxPositions;
  const tokens = evaVit(
    p.at("visual_encoder"),
    input("pixels", ["B", 3, imageSize, imageSize]),
    config.vision as VitConfig,
  );
  const embedding = pooledImageEmbedding(p.at("clip"), tokens, config.clipWidth);
  const image = embedding.div(embedding.square().mean(-1, true).sqrt());
  const pictures = await runtime.compile({ tokens, image }, mapWeights(weights));
  const { features } = clipText(p, input("ids", ["B", L], "i32"), input("end", ["B"], "i32"), config);
  const captions = await runtime.compile({ text: features }, mapWeights(weights));
  const text = (list: readonly string[]): Promise<Values> =>
    captions.run({ ids: { shape: [list.length, L], data: tokenizer.encode(list, L).ids } });
  return {
    key: clipKey(config, tokenizer, weights),
    text,
    compute: async (list) => ({
      ...(await pictures.run({ pixels: pixelFeed(list, config) })),
      ...(await text(list.map((picture) => picture.caption))),
    }),
  };
}

/** The frozen autoencoder beside: `latents` [B,C,y,x] besides `image` and `text`. */
async function frozenLatents(
  runtime: Runtime,
  vae: PixelVaeConfig,
  size: number,
  weights: Weights,
  clip: ClipFeatures,
): Promise<Features> {
  const encoder = await runtime.compile(vaeEncoderGraph(vae, size), mapWeights(weights));
  return {
    key: latentsKey(clip.key, vae, weights),
    compute: async (list) => {
      const { image, text } = await clip.compute(list);
      return { image: image!, text: text!, ...(await encoder.run({ pixels: plainPixels(list, size) })) };
    },
  };
}

/** The frozen Causal Q-Former on top: `y` [B,32,D] and `caption` [B,F] (unit length) besides `image` and `text`. */
async function frozenSeed(
  runtime: Runtime,
  config: SeedlingConfig,
  tokenizer: CaptionTokenizer,
  clip: ClipFeatures,
  weights: Weights,
): Promise<Features> {
  const p = new Params();
  const L = config.textEncoder.maxPositions;
  const seed = seedConfig(config);
  const tokens = input("tokens", ["B", (seed.vision.imageSize / seed.vision.patchSize) ** 2 + 1, seed.vision.width]);
  const y = causalEmbeddings(p, visionNorm(p, tokens), seed);
  const pictures = await runtime.compile({ y }, mapWeights(weights));
  const hidden = textHidden(p, input("ids", ["B", L], "i32"), input("mask", ["B", L], "i32"), seed.qformer, 0);
  const captions = await runtime.compile({ caption: textFeature(p, hidden, seed) }, mapWeights(weights));
  return {
    key: seedKey(clip.key, config, weights),
    compute: async (list) => {
      const { tokens: t, image, text } = await clip.compute(list);
      const words = list.map((picture) => picture.caption);
      const { ids, mask } = tokenizer.encode(words, L);
      const shape = [list.length, L];
      return {
        ...(await pictures.run({ tokens: t! })),
        ...(await captions.run({ ids: { shape, data: ids }, mask: { shape, data: mask } })),
        image: image!,
        text: text!,
      };
    },
  };
}

async function sharedTokenizer(path: string, data: TrainingData, mayMake: boolean): Promise<CaptionTokenizer> {
  try {
    return new CaptionTokenizer((await readJsonFile(path, 16e6)) as Record<string, unknown>);
  } catch (error) {
    if (!isMissing(error)) throw error;
    if (!mayMake)
      throw new SetupError(`${path}: expected the tokenizer of stage clip, found none. Run that stage first.`);
  }
  const words = new Set<string>();
  for (const text of data.words()) for (const word of splitWords(text)) words.add(word);
  const json = wordLevelTokenizer(words);
  await writeFileAtomic(path, `${JSON.stringify(json, null, 1)}\n`);
  return new CaptionTokenizer(json);
}

async function saveWeights(path: string, { weights }: LoopResult): Promise<void> {
  await writeSafetensors(
    path,
    [...weights].map(([name, data]) => ({ name, dtype: "F32" as const, shape: [data.length], data })),
  );
}

/** Weights of an earlier stage, as flat arrays. @throws SetupError if that stage has not finished. */
export async function loadWeights(path: string): Promise<Weights> {
  let file: Awaited<ReturnType<typeof openSafetensors>>;
  try {
    file = await openSafetensors(path);
  } catch (error) {
    if (isMissing(error))
      throw new SetupError(`${path}: expected the weights of an earlier stage, found none. Run that stage first.`);
    throw error;
  }
  try {
    const weights: Weights = new Map();
    for (const name of file.tensors.keys()) weights.set(name, await file.readFloat32(name));
    return weights;
  } finally {
    await file.close();
  }
}

/** The values a run begins with, in the order of their names: part of its identity. */
export function startHash(start: ReadonlyMap<string, Float32Array>): Float32Array[] {
  return [...start].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, data]) => data);
}
