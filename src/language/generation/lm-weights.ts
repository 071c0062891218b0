/** Weights of language models: mapped from a Hugging Face folder, taken out of a GGUF file, or rounded to few bits. */
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
  packBlocks,
  readGgufLlama,
  readGgufLlamaBytes,
  type TensorFile,
} from "../../weights/index.ts";
import { mappedWeights } from "../../weights/mapped/mapped-weights.ts";
import { type MakeWeight, scratchWeights } from "../../weights/mapped/scratch-weights.ts";
import { checkedWeights } from "../../weights/mapped/weights.ts";
import { HEAD, lmMatrices } from "../../weights/quantized/lm-matrices.ts";
import { quantizeBlocks } from "../../weights/quantized/round.ts";
import { storedBits } from "../../weights/quantized/stored.ts";
import type { GraphWeights, LmWeights } from "./base-model.ts";
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

/** The numbers of a GGUF file, dequantized on demand; graphs take `ggufGraphWeights`. @throws as `expectGgufLlama` */
export function ggufWeights(file: GgufFile, config: LlamaConfig): LmWeights {
  expectGgufLlama(file, config);
  const read = async (name: string): Promise<Float32Array> => {
    const open = await file.reopen();
    return readGgufLlama(open, name, config).finally(() => open.close());
  };
  return { get: () => undefined, ownHead: false, read };
}

/**
 * The weights of a GGUF file, for graphs. Quantized tensors keep their blocks; 8-bit ones are multiplied with activations
 * rounded to 8 bits, as in llama.cpp. With `bits`, matrices are rounded to that instead.
 */
export async function ggufGraphWeights(file: GgufFile, config: LlamaConfig, bits?: 4 | 8): Promise<GraphWeights> {
  const { read } = ggufWeights(file, config);
  const makers = new Map<string, MakeWeight>();
  const open = await file.reopen();
  try {
    const shapes = languageModelWeights(config);
    const rounded = bits === undefined ? new Map<string, string>() : lmMatrices(config);
    for (const [name, [rows = 1]] of shapes) {
      const floats = async (): Promise<StoredWeight> => ({ dtype: "f32", data: bytesOf(await read(name)) });
      if (!rounded.has(name))
        makers.set(name, bits === undefined ? () => blocksOr(floats, open, name, config) : floats);
      for (const [stored, from] of rounded)
        if (bits && from === name) makers.set(stored, async () => roundToBlocks(await read(from), rows, bits));
    }
    return { ...(await scratchWeights(makers)), ownHead: bits !== undefined && config.tied };
  } finally {
    await open.close();
  }
}

/** A tensor in the blocks of the file, or as it is stored if it has 16-bit floats; anything else as made by `floats`. */
async function blocksOr(floats: MakeWeight, file: GgufFile, name: string, config: LlamaConfig): Promise<StoredWeight> {
  const { type, bytes } = await readGgufLlamaBytes(file, name, config);
  if (type === "F16" || type === "BF16") return { dtype: type === "F16" ? "f16" : "bf16", data: bytes };
  const packed = packBlocks(type, bytes);
  if (!packed) return floats();
  const { bits, block, data, scale, offset } = packed;
  const activations = bits === 8 ? "i8" : "f32";
  return { dtype: "blocks", bits, block, data, scale: bytesOf(scale), offset: offset && bytesOf(offset), activations };
}

function bytesOf(data: Float32Array): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
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
    rounded.set(name, roundToBlocks(await weights.read(from), rows, bits));
  }
  return { ...weights, ownHead: config.tied, get: (path) => rounded.get(path) ?? weights.get(path) };
}

/** w: f32 [N,K]. */
function roundToBlocks(w: Float32Array, N: number, bits: 4 | 8): StoredWeight {
  const { data, scale } = quantizeBlocks(w, N, bits, BLOCK);
  return { dtype: "blocks", bits, block: BLOCK, data, scale: bytesOf(scale) };
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
