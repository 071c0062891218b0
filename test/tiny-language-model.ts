/** A tiny random language model that sees and draws, next to the tiny model of pictures: base, adapter and manifest. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { codebookHash } from "../src/codes/index.ts";
import { type Init, normal, paramAttrs } from "../src/graph/index.ts";
import { openSeedFolder } from "../src/image-tokenizer/seed-folder.ts";
import { writeFileAtomic } from "../src/io/files.ts";
import { lmInput } from "../src/models/causal-lm.ts";
import { languageModel, languageModelLogits, languageModelWeights } from "../src/models/language-model.ts";
import type { LlamaConfig } from "../src/models/llama.ts";
import { writeLmConfig } from "../src/models/lm-config.ts";
import { LoraParams } from "../src/models/lora.ts";
import { initialValues } from "../src/nn/index.ts";
import { DESCRIBING, type LmManifest, withImageTokens, writeLmManifest } from "../src/text/index.ts";
import { baseHash, writePeftFolder, writeSafetensors } from "../src/weights/index.ts";
import { plainTokenizer, tinyTokenizerJson } from "./tiny-lm.ts";
import { TINY_CODES } from "./tiny-model.ts";

/** Tokens of the longest conversation. */
export const TINY_CONTEXT = 220;

export interface TinyLanguageModelOptions {
  readonly template?: LmManifest["template"];
  readonly seed?: number;
}

/** Writes `lm` and `lm-adapter` into the folder that `writeTinyModel` has written. */
export async function writeTinyLanguageModel(
  model: string,
  { template = "seed", seed = 3 }: TinyLanguageModelOptions = {},
): Promise<void> {
  const [lm, adapter] = [join(model, "lm"), join(model, "lm-adapter")];
  const plain = plainTokenizer();
  const base: LlamaConfig = {
    kind: "llama",
    vocabulary: plain.size,
    width: 16,
    tied: true,
    layers: 1,
    heads: 2,
    kvHeads: 1,
    headWidth: 8,
    intermediate: 16,
    context: TINY_CONTEXT,
    eps: 1e-5,
    ropeBase: 10_000,
  };
  await mkdir(lm, { recursive: true });
  const json = (path: string, value: unknown): Promise<void> => writeFileAtomic(path, JSON.stringify(value));
  await json(join(lm, "config.json"), writeLmConfig(base));
  await json(join(lm, "tokenizer.json"), plain.json);
  await json(join(lm, "tokenizer_config.json"), plain.config);
  const tensors = languageModelWeights(base).map(([name, shape]) => ({
    name,
    dtype: "F32" as const,
    shape,
    data: initialValues(name, shape, lively(shape), seed),
  }));
  await writeSafetensors(join(lm, "model.safetensors"), tensors);

  const lora = { rank: 2, alpha: 4, dropout: 0, targets: ["q_proj", "v_proj"] };
  const p = new LoraParams(lora);
  const config = { ...base, addedTokens: TINY_CODES + 2 };
  languageModelLogits(p, languageModel(p, lmInput(config, { batch: 1, tokens: 1 }), config).hidden, config);
  const own = [...p.declared().values()].map(paramAttrs).filter(({ path }) => /lora_[AB]|\.added$/.test(path));
  const weights = new Map(
    own.map(({ path, shape }) => [path, { shape, data: initialValues(path, shape, lively(shape), seed + 1) }]),
  );
  await writePeftFolder(adapter, { lora, baseHash: await baseHash(lm), firstAddedToken: plain.size, weights });
  const words = withImageTokens(tinyTokenizerJson(), { codes: TINY_CODES, firstId: plain.size });
  await json(join(adapter, "tokenizer.json"), words);
  await json(join(adapter, "tokenizer_config.json"), plain.config);
  const pictures = await openSeedFolder(model);
  await writeLmManifest(adapter, {
    format: "seedling-lm-1",
    template,
    codes: TINY_CODES,
    codebook: codebookHash(await pictures.weights.read("quantize.embedding.weight")),
    requests: { describe: "describe the picture.", draw: "draw {prompt}." },
    describing: DESCRIBING,
  });
}

/** So large that what is said depends on what was read. */
function lively(shape: readonly number[]): Init {
  return normal(shape.length > 1 ? 0.5 : 1);
}
