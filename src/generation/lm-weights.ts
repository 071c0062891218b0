/** Weights of language models where they lie: mapped from a Hugging Face folder, or read out of a GGUF file. */
import { type Adapter, expectTensors, type GgufFile, openCheckpoint, readGgufLlama } from "../checkpoint/index.ts";
import { CheckpointError } from "../errors.ts";
import { languageModelWeights } from "../models/language-model.ts";
import type { LlamaConfig } from "../models/llama.ts";
import type { LmConfig } from "../models/lm-config.ts";
import { mapWeights, type WeightSource } from "../runtime/index.ts";
import { mappedWeights } from "../tokenizer/mapped-weights.ts";

/** Tensors that old files hold and the model does not: tables that are computed here, the head where it is tied. */
function isSuperfluous(name: string, { tied }: LmConfig): boolean {
  return name.endsWith(".rotary_emb.inv_freq") || (tied && name === "lm_head.weight");
}

/** @throws SetupError if the weights are missing; CheckpointError listing every missing, extra and misshaped tensor. */
export async function folderWeights(folder: string, config: LmConfig): Promise<WeightSource> {
  const file = await openCheckpoint(folder);
  await file.close();
  const tensors = new Map([...file.tensors].filter(([name]) => !isSuperfluous(name, config)));
  expectTensors({ path: file.path, tensors }, languageModelWeights(config));
  return mappedWeights(file.path, tensors);
}

/** All weights, dequantised. @throws CheckpointError naming a tensor that is missing. */
export async function ggufWeights(file: GgufFile, config: LlamaConfig): Promise<WeightSource> {
  const weights = new Map<string, Float32Array>();
  for (const [name, shape] of languageModelWeights(config)) {
    const data = await readGgufLlama(file, name, config);
    const size = shape.reduce((a, b) => a * b, 1);
    if (data.length !== size)
      throw new CheckpointError(
        `${file.path}: expected ${size} numbers [${shape.join()}] for ${name}, got ${data.length}.`,
      );
    weights.set(name, data);
  }
  return mapWeights(weights);
}

/** What the adapter holds, and the base's weights for the rest. */
export function withAdapter(base: WeightSource, { weights }: Adapter): WeightSource {
  const own = mapWeights(new Map([...weights].map(([path, { data }]) => [path, data])));
  return { ...base, get: (path) => own.get(path) ?? base.get(path) };
}
