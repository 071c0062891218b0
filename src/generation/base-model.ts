/** A frozen base model with all its numbers in memory, as training wants it: from a Hugging Face folder or a GGUF file. */
import { join } from "node:path";
import {
  ggufLlamaConfig,
  ggufTokenizer,
  openCheckpoint,
  openGguf,
  readGgufLlama,
  readJsonFile,
} from "../checkpoint/index.ts";
import { languageModelWeights } from "../models/language-model.ts";
import { type LmConfig, readLmConfig } from "../models/lm-config.ts";
import { LmTokenizer } from "../text/index.ts";

export interface BaseModel {
  readonly config: LmConfig;
  readonly tokenizer: LmTokenizer;
  /** By path, f32. */
  readonly weights: ReadonlyMap<string, Float32Array>;
}

/** @throws SetupError if a file is missing; InputError if one is damaged or of a kind that is not known here. */
export async function readBaseModel(path: string): Promise<BaseModel> {
  return path.endsWith(".gguf") ? readGguf(path) : readFolder(path);
}

async function readFolder(path: string): Promise<BaseModel> {
  const where = join(path, "config.json");
  const config = readLmConfig(await readJsonFile(where), where);
  const tokenizer = await LmTokenizer.open(path);
  const file = await openCheckpoint(path);
  try {
    const weights = new Map<string, Float32Array>();
    for (const [name] of languageModelWeights(config)) weights.set(name, await file.readFloat32(name));
    return { config, tokenizer, weights };
  } finally {
    await file.close();
  }
}

async function readGguf(path: string): Promise<BaseModel> {
  const file = await openGguf(path);
  try {
    const config = ggufLlamaConfig(file);
    const { json, config: names } = ggufTokenizer(file);
    const weights = new Map<string, Float32Array>();
    for (const [name] of languageModelWeights(config)) weights.set(name, await readGgufLlama(file, name, config));
    return { config, tokenizer: new LmTokenizer(json, names, path), weights };
  } finally {
    await file.close();
  }
}
