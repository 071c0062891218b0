/** A whole model folder of tiny sizes with random weights: everything runs on it as on the trained one, in no time. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type Init, normal, Params, paramAttrs } from "../src/graph/index.ts";
import { seedGraphs, unetGraph, vaeDecoderGraph } from "../src/image-tokenizer/graphs.ts";
import { writeFileAtomic } from "../src/io/files.ts";
import { parseSeedlingConfig, type SeedlingConfig } from "../src/models/config.ts";
import type { PixelVaeConfig } from "../src/models/pixel-vae.ts";
import type { UnetConfig } from "../src/models/unet.ts";
import { initialValues } from "../src/nn/index.ts";
import { CaptionTokenizer, wordLevelTokenizer } from "../src/text/index.ts";
import { type StoredDtype, writeSafetensors } from "../src/weights/index.ts";

export const TINY_CODES = 64;

const [L, D] = [6, 8];

const words = "a red green blue cat dog house on and".split(" ");
const tokenizer = wordLevelTokenizer(words);
const vocabulary = new CaptionTokenizer(tokenizer).size;

export function tinyConfig(paintsFrom: "image" | "text"): SeedlingConfig {
  const json = {
    format: "seedling-1",
    pixels: { mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] },
    vision: { imageSize: 16, patchSize: 8, width: 12, depth: 1, heads: 2, mlpHidden: 16 },
    clipWidth: 10,
    textEncoder: { vocabulary, maxPositions: L, width: D, depth: 1, heads: 2, intermediate: 16, activation: "gelu" },
    qformer: { hidden: 16, heads: 2, layers: 2, intermediate: 16, causal: true, vocabulary, maxPositions: L + 2 },
    codebook: { codes: TINY_CODES, width: 4 },
    decoderDepth: 1,
    decoderHeads: 2,
    image: { width: 10, head: { kind: "reverse", layers: 1 } },
    text: { tokens: L, width: D, layers: 1, suffix: "_text" },
    contrastiveWidth: 6,
    paintsFrom,
  };
  return parseSeedlingConfig(json, "tiny model");
}

const unet: UnetConfig = {
  sampleSize: 4,
  inChannels: 6,
  outChannels: 6,
  blockOutChannels: [8, 8],
  layersPerBlock: 1,
  downBlockTypes: ["DownBlock2D", "CrossAttnDownBlock2D"],
  upBlockTypes: ["CrossAttnUpBlock2D", "UpBlock2D"],
  crossAttentionDim: D,
  attentionHeads: 2,
  normNumGroups: 4,
  classEmbedType: "projection",
  projectionClassEmbeddingsInputDim: 10,
  hintChannels: 2,
  placeEmbedding: true,
};

const vae: PixelVaeConfig = {
  fold: 2,
  latentChannels: 6,
  blockOutChannels: [4, 8],
  layersPerBlock: 1,
  normNumGroups: 4,
};

const scheduler = { noise: { predictionType: "sample" }, steps: 3, guidanceScale: 2, scheduler: "ddim" };

export interface TinyModelOptions {
  readonly paintsFrom?: "image" | "text";
  readonly dtype?: StoredDtype;
  readonly seed?: number;
}

/** Writes the folder. Both heads are there, and what only training reads. */
export async function writeTinyModel(folder: string, options: TinyModelOptions = {}): Promise<void> {
  const { paintsFrom = "image", dtype = "F16", seed = 1 } = options;
  const config = tinyConfig(paintsFrom);
  const [p, u, v] = [new Params(), new Params(), new Params()];
  for (const head of ["image", "text"] as const) seedGraphs(tinyConfig(head), p);
  p.get("temp", [], normal(1));
  p.at("clip").get("logit_scale", [], normal(1));
  unetGraph(unet, config, u);
  vaeDecoderGraph(vae, config.vision.imageSize, v);
  for (const part of ["unet", "vae"]) await mkdir(join(folder, part), { recursive: true });
  const json = { "config.json": config, "tokenizer.json": tokenizer, "scheduler.json": scheduler };
  for (const [name, value] of Object.entries({ ...json, "unet/config.json": unet, "vae/config.json": vae }))
    await writeFileAtomic(join(folder, name), JSON.stringify(value));
  await writeSafetensors(join(folder, "model.safetensors"), randomTensors(p, dtype, seed));
  await writeSafetensors(join(folder, "unet", "model.safetensors"), randomTensors(u, dtype, seed));
  await writeSafetensors(join(folder, "vae", "model.safetensors"), randomTensors(v, dtype, seed));
}

/** Initial values, but no matrix is zero or so small that nothing depends on it. */
function randomTensors(p: Params, dtype: StoredDtype, seed: number) {
  return [...p.declared()].map(([name, t]) => {
    const { shape, init } = paramAttrs(t);
    const lively: Init = shape.length > 1 ? normal(0.4) : init;
    return { name, dtype, shape, data: initialValues(name, shape, lively, seed) };
  });
}
