/**
 * What finished stages compute from pictures and captions, frozen: the features that later stages learn from. Each comes
 * with a key that names everything the numbers depend on except the pictures, so that cached features are never stale.
 */
import { input, Params } from "../../graph/index.ts";
import { vaeEncoderGraph } from "../../image-decoder/training-graphs.ts";
import { hashOf } from "../../io/hash.ts";
import { pooledImageEmbedding } from "../../models/clip.ts";
import { clipText } from "../../models/clip-pair.ts";
import { type SeedlingConfig, seedConfig } from "../../models/config.ts";
import { textFeature, textHidden } from "../../models/contrastive.ts";
import { evaVit, type VitConfig, vitTokens } from "../../models/eva-vit.ts";
import { causalEmbeddings, visionContext } from "../../models/seed-tokenizer.ts";
import { mapWeights, type Values } from "../../runtime/index.ts";
import type { CaptionTokenizer } from "../../text/index.ts";
import { clipKey, latentsKey, seedKey } from "../data/feature-keys.ts";
import type { Picture } from "../data/pictures.ts";
import { normalizedPixels, plainPixels } from "../data/pixels.ts";
import { pickValues } from "../loop/values.ts";
import { patchLabels } from "../losses/patch-labels.ts";
import type { ModelSizes } from "../recipe/model-sizes.ts";
import type { StageContext } from "./definition.ts";

export interface FrozenFeatures {
  /** Hash of everything the numbers depend on except the pictures. */
  readonly key: string;
  /** Features of pictures, first axis = pictures. */
  readonly compute: (pictures: readonly Picture[]) => Promise<Values>;
}

export interface ClipFeatures extends FrozenFeatures {
  /** `text` f32 [B,L,D] of captions alone. */
  readonly text: (captions: readonly string[]) => Promise<Values>;
}

interface Opened {
  readonly sizes: ModelSizes;
  readonly config: SeedlingConfig;
  readonly tokenizer: CaptionTokenizer;
}

type Context = Pick<StageContext<unknown>, "runtime" | "weights">;

/** Of the CLIP pair: `tokens` f32 [B,S,W], `image` f32 [B,F] at root mean square 1, `text` f32 [B,L,D]. */
export async function clipFeatures(c: Context, { config, tokenizer }: Opened): Promise<ClipFeatures> {
  const weights = await c.weights("clip");
  const p = new Params();
  const { imageSize } = config.vision;
  const L = config.textEncoder.maxPositions;
  const pixels = input("pixels", ["B", 3, imageSize, imageSize]);
  const tokens = evaVit(p.at("visual_encoder"), pixels, config.vision as VitConfig);
  const embedding = pooledImageEmbedding(p.at("clip"), tokens, config.clipWidth);
  const image = embedding.div(embedding.square().mean(-1, true).sqrt());
  const pictures = await c.runtime.compile({ tokens, image }, mapWeights(weights));
  const { features } = clipText(p, input("ids", ["B", L], "i32"), input("end", ["B"], "i32"), config);
  const captions = await c.runtime.compile({ text: features }, mapWeights(weights));
  const text = (list: readonly string[]): Promise<Values> =>
    captions.run({ ids: { shape: [list.length, L], data: tokenizer.encode(list, L).ids } });
  return {
    key: clipKey(config, tokenizer, weights),
    text,
    compute: async (list) => ({
      ...(await pictures.run({ pixels: normalizedPixels(list, config) })),
      ...(await text(list.map(({ caption }) => caption))),
    }),
  };
}

/** Of the autoencoder: `latents` f32 [B,C,y,x], beside `image` and `text` of the CLIP pair. */
export async function latentFeatures(
  c: Context,
  { sizes, config }: Opened,
  clip: ClipFeatures,
): Promise<FrozenFeatures> {
  const weights = await c.weights("vae");
  const { imageSize } = config.vision;
  const encoder = await c.runtime.compile(vaeEncoderGraph(sizes.vae, imageSize), mapWeights(weights));
  return {
    key: latentsKey(clip.key, sizes.vae, weights),
    compute: async (list) => {
      const latents = await encoder.run({ pixels: plainPixels(list, imageSize) });
      return { ...pickValues(await clip.compute(list), ["image", "text"]), ...latents };
    },
  };
}

/** Of the Causal Q-Former: `y` f32 [B,32,D] and `caption` f32 [B,F] (unit length), beside `image` and `text`. */
export async function causalFeatures(
  c: Context,
  { config, tokenizer }: Opened,
  clip: ClipFeatures,
): Promise<FrozenFeatures> {
  const weights = await c.weights("causal-qformer");
  const p = new Params();
  const L = config.textEncoder.maxPositions;
  const seed = seedConfig(config);
  const tokens = input("tokens", ["B", vitTokens(seed.vision), seed.vision.width]);
  const y = causalEmbeddings(p, visionContext(p, tokens, seed), seed);
  const pictures = await c.runtime.compile({ y }, mapWeights(weights));
  const hidden = textHidden(p, input("ids", ["B", L], "i32"), input("mask", ["B", L], "i32"), seed.qformer, 0);
  const captions = await c.runtime.compile({ caption: textFeature(p, hidden, seed) }, mapWeights(weights));
  return {
    key: seedKey(clip.key, config, weights),
    compute: async (list) => {
      const features = await clip.compute(list);
      const texts = list.map((picture) => picture.caption);
      const { ids, mask } = tokenizer.encode(texts, L);
      const shape = [list.length, L];
      return {
        ...(await pictures.run(pickValues(features, ["tokens"]))),
        ...(await captions.run({ ids: { shape, data: ids }, mask: { shape, data: mask } })),
        ...pickValues(features, ["image", "text"]),
      };
    },
  };
}

/** `patches` f32 [B,P] beside other features: which object covers each patch. */
export function withPatchLabels(
  { key, compute }: FrozenFeatures,
  names: readonly string[],
  grid: number,
): FrozenFeatures {
  return {
    key: hashOf("patch labels", key, JSON.stringify(names)),
    compute: async (list) => ({ ...(await compute(list)), patches: patchLabels(list, names, grid) }),
  };
}
