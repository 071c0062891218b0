/** The graphs of a finished model folder. Built once with one parameter scope, so that every weight has one name. */
import { input, type Outputs, Params, type Tensor } from "../graph/index.ts";
import { clipImage, clipText } from "../models/clip-pair.ts";
import { type SeedlingConfig, seedConfig } from "../models/config.ts";
import { imageFeature, textFeature, textHidden } from "../models/contrastive.ts";
import { latentsToPixels, type PixelVaeConfig, pixelsToLatents, pixelVaeFactor } from "../models/pixel-vae.ts";
import {
  causalEmbeddings,
  decodeVectors,
  imageEmbedding,
  QUERIES,
  quantize,
  reconstructEmbeddings,
  textFeatures,
  visionFeatures,
} from "../models/seed-tokenizer.ts";
import { type UnetConfig, unet } from "../models/unet.ts";

/** B is symbolic everywhere. F: contrastive width, Fc: clip width, E: width of a code, D: width of a text feature. */
export interface SeedGraphs {
  /** pixels f32 [B,3,Y,X] -> ids i32 [B,32], embedding f32 [B,F] (unit). */
  readonly see: Outputs;
  /** ids, mask i32 [B,L] -> embedding f32 [B,F] (unit). */
  readonly read: Outputs;
  /** vectors f32 [B,32,E] -> embedding f32 [B,F] (unit), from the reconstructed causal embeddings. */
  readonly recall: Outputs;
  /** vectors f32 [B,32,E] -> image f32 [B,Fc] or text f32 [B,L,D], whichever head paints. */
  readonly imagine: Outputs;
  /** pixels -> embedding f32 [B,Fc]. */
  readonly clipImage: Outputs;
  /** ids i32 [B,L], end i32 [B] -> features f32 [B,L,D], embedding f32 [B,Fc]. */
  readonly clipText: Outputs;
}

export function seedGraphs(config: SeedlingConfig, p: Params = new Params()): SeedGraphs {
  const seed = seedConfig(config);
  const L = config.textEncoder.maxPositions;
  const size = config.vision.imageSize;
  const pixels = (): Tensor => input("pixels", ["B", 3, size, size]);
  const ids = (): Tensor => input("ids", ["B", L], "i32");
  const decoded = (): Tensor => decodeVectors(p, input("vectors", ["B", QUERIES, config.codebook.width]), seed);

  const y = causalEmbeddings(p, visionFeatures(p, pixels(), seed), seed);
  const hidden = textHidden(p, ids(), input("mask", ["B", L], "i32"), seed.qformer);
  return {
    see: { ids: quantize(p, y, seed).ids, embedding: imageFeature(p, y, seed) },
    read: { embedding: textFeature(p, hidden, seed) },
    recall: { embedding: imageFeature(p, reconstructEmbeddings(p, decoded(), seed), seed) },
    imagine:
      config.paintsFrom === "image"
        ? { image: imageEmbedding(p, decoded(), seed) }
        : { text: textFeatures(p, decoded(), seed) },
    clipImage: { embedding: clipImage(p, pixels(), config) },
    clipText: clipText(p, ids(), input("end", ["B"], "i32"), config),
  };
}

/** x f32 [B,C,Y,X], t f32 [B], text f32 [B,L,D], image f32 [B,Fc] -> the clean latents, f32 [B,C,Y,X]. */
export function unetGraph(sizes: UnetConfig, { text, clipWidth }: SeedlingConfig, p: Params = new Params()): Outputs {
  const { inChannels: C, sampleSize: side } = sizes;
  const x = input("x", ["B", C, side, side]);
  const context = input("text", ["B", text.tokens, text.width]);
  return { clean: unet(p.at("unet"), x, input("t", ["B"]), context, sizes, input("image", ["B", clipWidth])) };
}

/** pixels f32 [B,3,size,size] within 0..1 -> latents f32 [B,C,y,x] of unit variance. Training only. */
export function vaeEncoderGraph(config: PixelVaeConfig, size: number, p: Params = new Params()): Outputs {
  return { latents: pixelsToLatents(p.at("vae"), input("pixels", ["B", 3, size, size]), config) };
}

/** latents f32 [B,C,y,x] -> pixels f32 [B,3,size,size] within 0..1. */
export function vaeDecoderGraph(config: PixelVaeConfig, size: number, p: Params = new Params()): Outputs {
  const side = size / pixelVaeFactor(config);
  const latents = input("latents", ["B", config.latentChannels, side, side]);
  return { pixels: latentsToPixels(p.at("vae"), latents, config) };
}
