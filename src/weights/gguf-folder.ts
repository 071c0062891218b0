/** A GGUF file unpacked once into a Hugging Face folder, whose weights are then mapped instead of decoded at every start. */
import { makeFolder, writeFileAtomic } from "../io/files.ts";
import { join } from "../io/paths.ts";
import { languageModelWeights } from "../models/language-model.ts";
import { writeLmConfig } from "../models/lm-config.ts";
import { openGguf } from "./gguf.ts";
import { expectGgufLlama, ggufLlamaConfig, readGgufLlama } from "./gguf-llama.ts";
import { openGgufTokenizer } from "./gguf-tokenizer.ts";
import { writeSafetensors } from "./safetensors-write.ts";

/**
 * Writes config.json, model.safetensors, tokenizer.json and tokenizer_config.json.
 * @param dtype F32 keeps the numbers of the file exactly
 * @throws as `openGguf`, `ggufLlamaConfig` and `openGgufTokenizer`; SetupError if writing fails
 */
export async function unpackGguf(path: string, folder: string, dtype: "F32" | "F16" | "BF16" = "F32"): Promise<void> {
  const file = await openGguf(path);
  try {
    const config = ggufLlamaConfig(file);
    expectGgufLlama(file, config);
    const tokenizer = await openGgufTokenizer(file);
    const tensors = languageModelWeights(config).map(([name, shape]) => ({
      name,
      dtype,
      shape,
      data: () => readGgufLlama(file, name, config),
    }));
    await makeFolder(folder);
    await writeSafetensors(join(folder, "model.safetensors"), tensors, { format: "pt" });
    const json = { "config.json": writeLmConfig(config), "tokenizer_config.json": tokenizer.config };
    for (const [name, value] of Object.entries({ ...json, "tokenizer.json": tokenizer.json }))
      await writeFileAtomic(join(folder, name), `${JSON.stringify(value)}\n`);
  } finally {
    await file.close();
  }
}
