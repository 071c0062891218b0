/**
 * What finished stages compute from pictures and captions, frozen: the features that later stages learn from. Each comes
 * with a key that names everything the numbers depend on except the pictures, so that cached features are never stale.
 */

import { hashText, Rng } from "../../base/rng.ts";
import { input, type Outputs, Params, type Tensor } from "../../graph/index.ts";
import { vaeEncoderGraph } from "../../image-decoder/training-graphs.ts";
import { hashOf } from "../../io/hash.ts";
import { clipImageOfTokens, clipText } from "../../models/clip-pair.ts";
import { type SeedlingConfig, seedConfig } from "../../models/config.ts";
import { textFeature, textHidden } from "../../models/contrastive.ts";
import { evaVit, type VitConfig, vitTokens } from "../../models/eva-vit.ts";
import {
  causalEmbeddings,
  decodeVectors,
  draftOf,
  quantize,
  queriesOf,
  reconstructEmbeddings,
  visionContext,
} from "../../models/seed-tokenizer.ts";
import { normalize } from "../../nn/index.ts";
import { mapWeights, type Value, type Values } from "../../runtime/index.ts";
import type { CaptionTokenizer } from "../../text/index.ts";
import { clipKey, codesKey, latentsKey, seedKey } from "../data/feature-keys.ts";
import type { Picture } from "../data/pictures.ts";
import { normalizedPixels, plainPixels } from "../data/pixels.ts";
import { namedValue, pickValues } from "../loop/values.ts";
import { drawPrefixes, keepPrefix } from "../losses/nested-dropout.ts";
import type { ModelSizes } from "../recipe/model-sizes.ts";
import type { StageContext, Weights } from "./definition.ts";

export interface FrozenFeatures {
  /** Hash of everything the numbers depend on except the pictures. */
  readonly key: string;
  /** Features of pictures, first axis = pictures. */
  readonly compute: (pictures: readonly Picture[]) => Promise<Values>;
  /** How they follow from others, which are kept next to them; absent if they are computed from pictures. */
  readonly derived?: {
    readonly from: FrozenFeatures;
    readonly derive: (values: Values) => Promise<Values>;
  };
}

/** Features that follow from others. @param derive what is added to those */
function derivedFeatures(
  key: string,
  from: FrozenFeatures,
  derive: (values: Values) => Promise<Values>,
): FrozenFeatures {
  const compute = async (pictures: readonly Picture[]): Promise<Values> => {
    const known = await from.compute(pictures);
    return { ...known, ...(await derive(known)) };
  };
  return { key, compute, derived: { from, derive } };
}

/**
 * Of the CLIP pair: `tokens` f32 [B,S,W] of the tower; `image` f32 [B,F], the picture's embedding at root mean square 1;
 * `text` f32 [B,L,D], token features of the caption; `caption` and `changed` f32 [B,F], unit embeddings of the caption and
 * of the changed one.
 */
export type ClipFeature = "tokens" | "image" | "text" | "caption" | "changed";

export interface ClipFeatures extends FrozenFeatures {
  /** `text` f32 [B,L,D] and `caption` f32 [B,F] of captions alone. */
  readonly text: (captions: readonly string[]) => Promise<Values>;
}

export interface Opened {
  readonly sizes: ModelSizes;
  readonly config: SeedlingConfig;
  readonly tokenizer: CaptionTokenizer;
}

type Context = Pick<StageContext<unknown>, "runtime" | "weights">;

export async function clipFeatures(
  c: Context,
  { config, tokenizer }: Opened,
  wanted: readonly ClipFeature[],
): Promise<ClipFeatures> {
  const weights = await c.weights("clip");
  const p = new Params();
  const { imageSize } = config.vision;
  const L = config.textEncoder.maxPositions;
  const pixels = input("pixels", ["B", 3, imageSize, imageSize]);
  const tokens = evaVit(p.at("visual_encoder"), pixels, config.vision as VitConfig);
  const outputs: Outputs = wanted.includes("image")
    ? { tokens, image: deviationOne(clipImageOfTokens(p, tokens, config)) }
    : { tokens };
  const pictures = await c.runtime.compile(outputs, mapWeights(weights));
  const encoded = clipText(p, input("ids", ["B", L], "i32"), input("end", ["B"], "i32"), config);
  const texts = { text: encoded.features, caption: normalize(encoded.embedding) };
  const captions = await c.runtime.compile(texts, mapWeights(weights));
  const text = (list: readonly string[]): Promise<Values> => {
    const { ids, end } = tokenizer.encode(list, L);
    return captions.run({ ids: { shape: [list.length, L], data: ids }, end: { shape: [list.length], data: end } });
  };
  return {
    key: hashOf(clipKey(config, tokenizer, weights), ...wanted),
    text,
    async compute(list) {
      const seen = await pictures.run({ pixels: normalizedPixels(list, config) });
      const own = await text(list.map(({ caption }) => caption));
      const changed: Values = wanted.includes("changed")
        ? { changed: namedValue(await text(list.map((one) => one.changed ?? one.caption)), "caption") }
        : {};
      return pickValues({ ...seen, ...own, ...changed }, wanted);
    },
  };
}

function deviationOne(embedding: Tensor): Tensor {
  return embedding.div(embedding.square().mean(-1, true).sqrt());
}

/** The same features and `latents` f32 [B,C,y,x] of the autoencoder, of mean 0 and deviation 1. */
export async function withLatents(
  c: Context,
  { sizes, config }: Opened,
  { key, compute }: FrozenFeatures,
): Promise<FrozenFeatures> {
  const weights = await c.weights("vae");
  const { imageSize } = config.vision;
  const encoder = await c.runtime.compile(vaeEncoderGraph(sizes.vae, imageSize), mapWeights(weights));
  return {
    key: latentsKey(key, sizes.vae, weights),
    compute: async (list) => ({
      ...(await compute(list)),
      ...(await encoder.run({ pixels: plainPixels(list, imageSize) })),
    }),
  };
}

/** Weights of stage 1, or of both stages where the Causal Q-Former continued to learn in the second. */
export async function tokenizerWeights(c: Pick<Context, "weights">): Promise<Weights> {
  const [first, second] = [await c.weights("causal-qformer"), await c.weights("codebook")];
  return second.has("query_tokens") ? new Map([...first, ...second]) : first;
}

/**
 * Of a Causal Q-Former: `y` f32 [B,32,D], next to the features of the CLIP pair, which have the tower's `tokens`.
 * @param weights of stage 1, or `tokenizerWeights`
 */
export async function causalFeatures(
  c: Context,
  { config }: Pick<Opened, "config">,
  clip: FrozenFeatures,
  weights: Weights,
): Promise<FrozenFeatures> {
  const p = new Params();
  const seed = seedConfig(config);
  const tokens = input("tokens", ["B", vitTokens(seed.vision), seed.vision.width]);
  const y = causalEmbeddings(p, visionContext(p, tokens, seed), seed);
  const program = await c.runtime.compile({ y }, mapWeights(weights));
  return derivedFeatures(seedKey(clip.key, config, weights), clip, (values) =>
    program.run(pickValues(values, ["tokens"])),
  );
}

/**
 * Features of captions by the Q-Former's text branch, where that embeds them in the contrastive space: `caption` f32 [B,F]
 * (unit) in place of the CLIP pair's.
 */
export async function branchFeatures(
  c: Context,
  { config, tokenizer }: Pick<Opened, "config" | "tokenizer">,
  clip: FrozenFeatures,
): Promise<FrozenFeatures> {
  const weights = await c.weights("causal-qformer");
  const seed = seedConfig(config);
  const L = config.textEncoder.maxPositions;
  const p = new Params();
  const hidden = textHidden(p, input("ids", ["B", L], "i32"), input("mask", ["B", L], "i32"), seed.qformer, 0);
  const program = await c.runtime.compile({ caption: textFeature(p, hidden, seed) }, mapWeights(weights));
  return {
    key: hashOf("text branch", seedKey(clip.key, config, weights)),
    async compute(list) {
      const { ids, mask } = tokenizer.encode(
        list.map(({ caption }) => caption),
        L,
      );
      const shape = [list.length, L];
      const own = await program.run({ ids: { shape, data: ids }, mask: { shape, data: mask } });
      return { ...(await clip.compute(list)), ...own };
    },
  };
}

/**
 * Of the codebook: `draft` f32 [B,K,y,x], which conditions the diffusion model, next to the causal embeddings `y`.
 * @param prefixes share of pictures of which only the first codes are read, a random number of them that follows from `y`
 */
export async function draftFeatures(
  c: Context,
  { config }: Pick<Opened, "config">,
  causal: FrozenFeatures,
  prefixes = 0,
): Promise<FrozenFeatures> {
  const weights = await c.weights("codebook");
  const p = new Params();
  const seed = seedConfig(config);
  const N = queriesOf(config);
  const { zq } = quantize(p, input("y", ["B", N, config.qformer.hidden]), seed);
  const read = prefixes > 0 ? keepPrefix(p.at("quantize"), zq, input("keep", ["B", N, 1])) : zq;
  const draft = draftOf(p, reconstructEmbeddings(p, decodeVectors(p, read, seed), seed), seed);
  const program = await c.runtime.compile({ draft }, mapWeights(weights));
  const key = codesKey(causal.key, config, weights);
  return derivedFeatures(prefixes > 0 ? hashOf("prefixes", key, String(prefixes)) : key, causal, (values) => {
    const y = pickValues(values, ["y"]);
    return program.run(prefixes > 0 ? { ...y, keep: prefixesOf(namedValue(y, "y"), prefixes) } : y);
  });
}

/** For each row of `y` which codes are read, f32 [B,32,1]: the same for the same row. */
function prefixesOf({ shape, data }: Value, share: number): Value {
  const [B = 0, N = 0] = shape;
  const length = data.length / B;
  const keep = new Float32Array(B * N).fill(1);
  for (let b = 0; b < B; b++) {
    const rng = new Rng(hashText(data.subarray(b * length, b * length + 16).join()));
    if (rng.next() < share) keep.set(drawPrefixes(1, N, 0, rng), b * N);
  }
  return { shape: [B, N, 1], data: keep };
}

/** Vectors of the codes, `vectors` f32 [B,32,E], of causal embeddings `y`. */
export async function codeVectorFeatures(
  c: Context,
  { config }: Pick<Opened, "config">,
  causal: FrozenFeatures,
): Promise<FrozenFeatures> {
  const weights = await c.weights("codebook");
  const { zq } = quantize(
    new Params(),
    input("y", ["B", queriesOf(config), config.qformer.hidden]),
    seedConfig(config),
  );
  const program = await c.runtime.compile({ vectors: zq }, mapWeights(weights));
  return derivedFeatures(hashOf("vectors", codesKey(causal.key, config, weights)), causal, (values) =>
    program.run(pickValues(values, ["y"])),
  );
}
