/** A whole model folder of tiny sizes with random weights: everything runs on it as on the trained one, in no time. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type Init, normal, Params, paramAttrs, type Tensor } from "../src/graph/index.ts";
import { type DecoderFiles, decoderParams, writeDecoder } from "../src/image-decoder/write-decoder.ts";
import { seedGraphs } from "../src/image-tokenizer/graphs.ts";
import { writeFileAtomic } from "../src/io/files.ts";
import { type ModelConfig, parseModelConfig } from "../src/models/config.ts";
import { initialValues } from "../src/nn/index.ts";
import { CaptionTokenizer, wordLevelTokenizer } from "../src/text/index.ts";
import { type StoredDtype, writeSafetensors } from "../src/weights/index.ts";

export const TINY_CODES = 64;

const [L, D] = [6, 8];

const words = "a red green blue cat dog house on and".split(" ");
const tokenizer = wordLevelTokenizer(words);
const vocabulary = new CaptionTokenizer(tokenizer).size;

const base = {
  format: "seedling-2",
  pixels: { mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] },
  vision: { imageSize: 16, patchSize: 8, width: 12, depth: 1, heads: 2, mlpHidden: 16 },
  clipWidth: 10,
  textEncoder: { vocabulary, maxPositions: L, width: D, depth: 1, heads: 2, intermediate: 16, activation: "gelu" },
  qformer: { hidden: 16, heads: 2, layers: 2, intermediate: 16, causal: true, vocabulary, maxPositions: L + 2 },
  codebook: { codes: TINY_CODES, width: 4 },
  decoderDepth: 1,
  decoderHeads: 2,
  contrastiveWidth: 6,
};
const heads = {
  image: { width: 10, head: { kind: "reverse", layers: 1 } },
  text: { tokens: L, width: D, layers: 1 },
};

export function tinyConfig(head: "image" | "text"): ModelConfig {
  return parseModelConfig({ ...base, [head]: heads[head] }, "tiny model");
}

const decoder: DecoderFiles = {
  unet: {
    sample_size: 4,
    in_channels: 8,
    out_channels: 6,
    block_out_channels: [8, 8],
    layers_per_block: 1,
    down_block_types: ["DownBlock2D", "CrossAttnDownBlock2D"],
    up_block_types: ["CrossAttnUpBlock2D", "UpBlock2D"],
    cross_attention_dim: D,
    attention_head_dim: 2,
    norm_num_groups: 4,
    class_embed_type: "projection",
    projection_class_embeddings_input_dim: 10,
  },
  vae: {
    patch_size: 2,
    in_channels: 12,
    out_channels: 12,
    latent_channels: 6,
    block_out_channels: [4, 8],
    down_block_types: ["DownEncoderBlock2D", "DownEncoderBlock2D"],
    up_block_types: ["UpDecoderBlock2D", "UpDecoderBlock2D"],
    layers_per_block: 1,
    norm_num_groups: 4,
  },
  scheduler: {
    _class_name: "DDIMScheduler",
    beta_schedule: "scaled_linear",
    prediction_type: "sample",
    clip_sample: false,
  },
  pipeline: { num_inference_steps: 3, guidance_scale: 2 },
};

export interface TinyModelOptions {
  /** The head that the decoder reads. */
  readonly head?: "image" | "text";
  readonly dtype?: StoredDtype;
  readonly seed?: number;
}

/** Writes the folder. The weights of both heads are there, and what only training reads. */
export async function writeTinyModel(folder: string, options: TinyModelOptions = {}): Promise<void> {
  const { head = "image", dtype = "F16", seed = 1 } = options;
  const p = new Params();
  for (const one of ["image", "text"] as const) seedGraphs(tinyConfig(one), p);
  p.get("temp", [], normal(1));
  p.at("clip").get("logit_scale", [], normal(1));
  await mkdir(folder, { recursive: true });
  for (const [name, value] of Object.entries({ "config.json": tinyConfig(head), "tokenizer.json": tokenizer }))
    await writeFileAtomic(join(folder, name), JSON.stringify(value));
  await writeSafetensors(join(folder, "model.safetensors"), randomTensors(p, dtype, seed));
  const params = decoderParams(decoder, L, "tiny model").declared();
  const weight = (name: string): Float32Array | undefined => {
    const t = params.get(name);
    return t && lively(name, t, seed);
  };
  await writeDecoder(folder, decoder, { contextLength: L, dtype, weight });
}

/** Initial values, but no matrix is zero or so small that nothing depends on it. */
function lively(name: string, t: Tensor, seed: number): Float32Array {
  const { shape, init } = paramAttrs(t);
  const started: Init = shape.length > 1 ? normal(0.4) : init;
  return initialValues(name, shape, started, seed);
}

function randomTensors(p: Params, dtype: StoredDtype, seed: number) {
  return [...p.declared()].map(([name, t]) => ({
    name,
    dtype,
    shape: paramAttrs(t).shape,
    data: lively(name, t, seed),
  }));
}
