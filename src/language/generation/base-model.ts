/** A base language model on disk, whatever its form: a Hugging Face folder, quantized or not, or a GGUF file. */
import { join } from "../../io/paths.ts";
import { languageModelWeights } from "../../models/language-model.ts";
import { type LmConfig, readLmConfig } from "../../models/lm-config.ts";
import type { WeightSource } from "../../runtime/index.ts";
import { LmTokenizer } from "../../text/index.ts";
import { ggufLlamaConfig, openGguf, openGgufTokenizer, readJsonFile } from "../../weights/index.ts";
import { folderWeights, ggufWeights } from "./lm-weights.ts";

/** Weights of a base model, for graphs and as numbers. */
export interface LmWeights extends WeightSource {
  /** The embeddings are tied, but the head has quantized weights of its own: the same numbers, rounded. */
  readonly ownHead: boolean;
  /** The numbers of a weight, as floats however they are stored. */
  readonly read: (path: string) => Promise<Float32Array>;
}

export interface BaseModel {
  readonly config: LmConfig;
  readonly weights: LmWeights;
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
  return { config, weights: await folderWeights(path, config), tokenizer: () => LmTokenizer.open(path) };
}

async function openGgufModel(path: string): Promise<BaseModel> {
  const file = await openGguf(path);
  try {
    const config = ggufLlamaConfig(file);
    const tokenizer = async (): Promise<LmTokenizer> => {
      const { json, config: names } = await openGgufTokenizer(file);
      return new LmTokenizer(json, names, path);
    };
    return { config, weights: await ggufWeights(file, config), tokenizer };
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
