/** A base language model on disk, whatever its form: a Hugging Face folder, quantized or not, or a GGUF file. */
import { join } from "../../io/paths.ts";
import { languageModelWeights } from "../../models/language-model.ts";
import { type LmConfig, readLmConfig } from "../../models/lm-config.ts";
import type { WeightSource } from "../../runtime/index.ts";
import { LmTokenizer } from "../../text/index.ts";
import { ggufLlamaConfig, openGguf, openGgufTokenizer, readJsonFile } from "../../weights/index.ts";
import { folderWeights, ggufGraphWeights, ggufWeights, roundedWeights } from "./lm-weights.ts";

/** Weights of a base model where they are stored, and as numbers. GGUF files cannot be mapped: their `get` returns nothing. */
export interface LmWeights extends WeightSource {
  /** The embeddings are tied, but the head has quantized weights of its own: the same numbers, rounded. */
  readonly ownHead: boolean;
  /** The numbers of a weight, as floats however they are stored. */
  readonly read: (path: string) => Promise<Float32Array>;
}

/** All weights of a base model in the form in which graphs read them. */
export interface GraphWeights extends WeightSource {
  /** As in `LmWeights`. */
  readonly ownHead: boolean;
  /** Frees temporary files. To be called once the graphs are compiled, and again when they are closed. */
  readonly release: () => Promise<void>;
}

export interface BaseModel {
  readonly config: LmConfig;
  readonly weights: LmWeights;
  /** @param bits rounds matrices of linear layers to blocks of this many bits; default: as they are stored */
  readonly graphWeights: (bits?: 4 | 8) => Promise<GraphWeights>;
  /** @throws SetupError if the model has no tokenizer; InputError if it is not one that can be read */
  readonly tokenizer: () => Promise<LmTokenizer>;
}

/** @throws SetupError if a file is missing; InputError if one is damaged or not supported. */
export async function openBaseModel(path: string): Promise<BaseModel> {
  return path.endsWith(".gguf") ? openGgufModel(path) : openFolderModel(path);
}

async function openFolderModel(path: string): Promise<BaseModel> {
  const where = join(path, "config.json");
  const config = readLmConfig(await readJsonFile(where), where);
  const weights = await folderWeights(path, config);
  const graphWeights = async (bits?: 4 | 8): Promise<GraphWeights> => {
    return { ...(bits ? await roundedWeights(weights, config, bits) : weights), release: async () => {} };
  };
  return { config, weights, graphWeights, tokenizer: () => LmTokenizer.open(path) };
}

async function openGgufModel(path: string): Promise<BaseModel> {
  const file = await openGguf(path);
  try {
    const config = ggufLlamaConfig(file);
    const tokenizer = async (): Promise<LmTokenizer> => {
      const { json, config: names } = await openGgufTokenizer(file);
      return new LmTokenizer(json, names, path);
    };
    const graphWeights = (bits?: 4 | 8): Promise<GraphWeights> => ggufGraphWeights(file, config, bits);
    return { config, weights: ggufWeights(file, config), graphWeights, tokenizer };
  } finally {
    await file.close();
  }
}

/** All weights by path, f32, for training. */
export async function allNumbers({ config, weights }: BaseModel): Promise<Map<string, Float32Array>> {
  const all = new Map<string, Float32Array>();
  for (const [name] of languageModelWeights(config)) all.set(name, await weights.read(name));
  return all;
}
