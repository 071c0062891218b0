/** Weights of language models: mapped from a Hugging Face folder, decoded from a GGUF file, or rounded to few bits. */
import { entry } from "../../base/item.ts";
import { languageModelWeights, vocabularyPaths } from "../../models/language-model.ts";
import type { LlamaConfig } from "../../models/llama.ts";
import type { LmConfig } from "../../models/lm-config.ts";
import type { StoredWeight } from "../../onnx/index.ts";
import { mapWeights, type WeightSource } from "../../runtime/index.ts";
import {
  type Adapter,
  expectGgufLlama,
  expectTensors,
  type GgufFile,
  openCheckpoint,
  readGgufLlama,
  type TensorFile,
} from "../../weights/index.ts";
import { mappedWeights } from "../../weights/mapped/mapped-weights.ts";
import { checkedWeights } from "../../weights/mapped/weights.ts";
import { HEAD, lmMatrices } from "../../weights/quantized/lm-matrices.ts";
import { quantizeBlocks } from "../../weights/quantized/round.ts";
import { storedBits } from "../../weights/quantized/stored.ts";
import type { LmWeights } from "./base-model.ts";
import { storedNames } from "./stored-names.ts";

/** @throws SetupError if the weights are missing; CheckpointError listing every missing, extra and misshaped tensor. */
export async function folderWeights(folder: string, config: LmConfig): Promise<LmWeights> {
  const file = await openCheckpoint(folder);
  await file.close();
  if (storedBits(file)) return quantizedFolderWeights(file, config);
  const names = storedNames(file, config);
  const tensors = new Map([...names].map(([name, stored]) => [name, entry(file.tensors, stored)]));
  expectTensors({ path: file.path, tensors }, languageModelWeights(config));
  const read = async (name: string): Promise<Float32Array> => {
    const open = await openCheckpoint(folder);
    return open.readFloat32(names.get(name) ?? name).finally(() => open.close());
  };
  return { ...(await mappedWeights(file.path, tensors)), ownHead: false, read };
}

/** As `seedling quantize` writes them: tied embeddings are stored as floats, and again, rounded, as the head. */
async function quantizedFolderWeights(file: TensorFile, config: LmConfig): Promise<LmWeights> {
  const both = file.tensors.has(HEAD) && file.tensors.has(`${vocabularyPaths(config).embeddings}.weight`);
  const ownHead = config.tied && both;
  const stored = ownHead ? { ...config, tied: false } : config;
  const ours = new Map([...storedNames(file, stored)].map(([name, storedName]) => [storedName, name]));
  const rename = (name: string): string => ours.get(name) ?? name;
  return { ...(await checkedWeights(file.path, languageModelWeights(stored), { rename })), ownHead };
}

/** All weights, dequantized. @throws as `expectGgufLlama` */
export async function ggufWeights(file: GgufFile, config: LlamaConfig): Promise<LmWeights> {
  expectGgufLlama(file, config);
  const weights = new Map<string, Float32Array>();
  for (const [name] of languageModelWeights(config)) weights.set(name, await readGgufLlama(file, name, config));
  return { ...mapWeights(weights), ownHead: false, read: async (name) => entry(weights, name) };
}

/** Weights that share a scale, as in other software. */
const BLOCK = 32;

/**
 * The same weights with the matrices of linear layers, including the head, rounded to blocks of few bits: decoding reads all
 * of them for every token, so it is faster the smaller they are. Rounded weights stay as they are.
 */
export async function roundedWeights(weights: LmWeights, config: LmConfig, bits: 4 | 8): Promise<LmWeights> {
  const rounded = new Map<string, StoredWeight>();
  const shapes = new Map(languageModelWeights(config));
  for (const [name, from] of lmMatrices(config)) {
    const stored = weights.get(name);
    if (stored && "scale" in stored) continue;
    const [rows = 1] = shapes.get(from) ?? [];
    const { data, scale } = quantizeBlocks(await weights.read(from), rows, bits, BLOCK);
    rounded.set(name, { dtype: "blocks", bits, block: BLOCK, data, scale: new Uint8Array(scale.buffer) });
  }
  return { ...weights, ownHead: config.tied, get: (path) => rounded.get(path) ?? weights.get(path) };
}

/**
 * The adapter's weights, and the base's for the rest. Of tied models the adapter stores embeddings only, which are the
 * head's weights too where a rounded head is stored apart.
 */
export function withAdapter(base: WeightSource, { weights }: Adapter, config: LmConfig): WeightSource {
  const own = mapWeights(new Map([...weights].map(([path, { data }]) => [path, data])));
  const { embeddings } = vocabularyPaths(config);
  const alias = (path: string): string => (config.tied ? path.replace(/^lm_head(?=\.)/, () => embeddings) : path);
  return { ...base, get: (path) => own.get(path) ?? own.get(alias(path)) ?? base.get(path) };
}
