/** Runs a recipe of a language model: texts, vocabulary, training, and a Hugging Face folder at the end. */
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { readJsonFile, writeSafetensors } from "../checkpoint/index.ts";
import { SetupError } from "../errors.ts";
import { Trigram } from "../evaluation/trigram.ts";
import { makeFolder, writeFileAtomic } from "../files.ts";
import { languageModelWeights } from "../models/language-model.ts";
import { writeLmConfig } from "../models/lm-config.ts";
import { Runtime } from "../runtime/index.ts";
import { LmTokenizer, trainBpe } from "../text/index.ts";
import { hashOf } from "./feature-cache.ts";
import { type LmPretrainRecipe, llamaSizes, loadLmRecipe } from "./lm-recipe.ts";
import { lmStage } from "./lm-stage.ts";
import { type LoopResult, trainLoop } from "./loop.ts";
import { packedTexts } from "./packed-texts.ts";
import { loopSettings } from "./recipe.ts";
import type { RunRecipeOptions } from "./run-recipe.ts";

/** Begin and end of a conversation, and the marks of turns: the same as SEED-LLaMA's base and as CHATML has them. */
const SPECIAL = ["<s>", "</s>", "<|im_start|>", "<|im_end|>"] as const;

/** Texts to learn from and texts to be measured by. */
export interface LanguageTexts {
  readonly train: readonly string[];
  readonly heldOut: readonly string[];
}

export interface RunLmRecipeOptions extends Omit<RunRecipeOptions, "data"> {
  readonly texts: (recipe: LmPretrainRecipe["texts"]) => Promise<LanguageTexts>;
}

export async function runLmRecipe(options: RunLmRecipeOptions): Promise<LoopResult> {
  const { root, signal, onLine } = options;
  const { recipe, identity } = await loadLmRecipe(options.recipe);
  const run = join(root, recipe.name ?? recipe.stage);
  const folder = join(run, "model");
  await makeFolder(folder);
  const texts = await options.texts(recipe.texts);
  const tokenizer = await vocabulary(folder, texts.train, recipe.lm.vocabulary);
  const config = llamaSizes(recipe, tokenizer.size);
  const encode = (list: readonly string[]): number[][] => list.map((text) => tokenizer.encode(text));
  const [learned, heldOut] = [encode(texts.train), encode(texts.heldOut)];
  const common = { end: tokenizer.eos!, length: recipe.length };
  const train = packedTexts(learned, { ...common, identity: hashOf(JSON.stringify(texts.train)) });
  const validation = packedTexts(heldOut, { ...common, identity: "held out" });
  const steps = options.steps ?? recipe.steps;
  const runtime = new Runtime({ device: options.device ?? "cpu", threads: options.threads || availableParallelism() });
  try {
    const validationCount = Math.min(recipe.validation, validation.perEpoch);
    const stage = lmStage({
      name: recipe.stage,
      config,
      length: recipe.length,
      train,
      validation,
      validationCount,
      runtime,
    });
    const measured = Array.from({ length: validationCount }, (_, i) => (validation.get(i) as { ids: number[] }).ids);
    onLine?.({
      texts: learned.length,
      tokens: train.perEpoch * recipe.length,
      ...trigramBaseline(learned, measured, config.vocabulary, common.end),
    });
    const result = await trainLoop(stage, {
      run,
      runtime,
      identity: hashOf(identity, train.identity, String(steps)),
      ...loopSettings(recipe, steps),
      resume: options.resume ?? false,
      ...(signal ? { signal } : {}),
      ...(onLine ? { onLine } : {}),
    });
    if (result.finished) {
      const tensors = languageModelWeights(config).map(([name, shape]) => ({
        name,
        dtype: "F16" as const,
        shape,
        data: result.weights.get(name)!,
      }));
      await writeSafetensors(join(folder, "model.safetensors"), tensors, { format: "pt" });
      await writeFileAtomic(join(folder, "config.json"), `${JSON.stringify(writeLmConfig(config), null, 2)}\n`);
    }
    return result;
  } finally {
    await runtime.close();
  }
}

/** The tokenizer of an earlier start of this run, or a new one. */
async function vocabulary(folder: string, texts: readonly string[], size: number): Promise<LmTokenizer> {
  const path = join(folder, "tokenizer.json");
  try {
    await readJsonFile(path, 16e6);
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    const json = trainBpe(texts, { size, special: SPECIAL });
    const names = { bos_token: "<s>", eos_token: "</s>", tokenizer_class: "PreTrainedTokenizerFast" };
    await writeFileAtomic(join(folder, "tokenizer_config.json"), `${JSON.stringify(names, null, 2)}\n`);
    await writeFileAtomic(path, `${JSON.stringify(json)}\n`);
  }
  return LmTokenizer.open(folder);
}

/** What counting alone reaches on the held-out texts. */
function trigramBaseline(
  texts: readonly (readonly number[])[],
  heldOut: readonly (readonly number[])[],
  size: number,
  end: number,
): Record<string, number> {
  const model = new Trigram(size);
  for (const text of texts) model.learn([...text, end]);
  const nats = model.nats(heldOut);
  return { trigramNats: nats, trigramPerplexity: Math.exp(nats) };
}
