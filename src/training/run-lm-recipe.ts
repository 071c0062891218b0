/** Runs a recipe of a language model: texts, vocabulary, training, and a Hugging Face folder at the end. */
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { InputError } from "../base/errors.ts";
import { isMissing, makeFolder, writeFileAtomic } from "../io/files.ts";
import { languageModelWeights } from "../models/language-model.ts";
import { writeLmConfig } from "../models/lm-config.ts";
import { Runtime } from "../runtime/index.ts";
import { LmTokenizer, trainBpe } from "../text/index.ts";
import { readJsonFile, writeSafetensors } from "../weights/index.ts";
import { hashOf } from "./data/feature-cache.ts";
import { type LanguageText, type LanguageTexts, sequencesOf } from "./data/text-sequences.ts";
import { lmStage, roomFor } from "./language/lm-stage.ts";
import { type LmPretrainRecipe, llamaSizes, loadLmRecipe } from "./lm-recipe.ts";
import { type LoopResult, trainLoop } from "./loop/loop.ts";
import { loopSettings } from "./recipe.ts";
import { loadWeights, type RunRecipeOptions, startHash } from "./run-recipe.ts";

/** Begin and end of a conversation, and the marks of turns: the same as SEED-LLaMA's base and as CHATML has them. */
const SPECIAL = ["<s>", "</s>", "<|im_start|>", "<|im_end|>"] as const;

export interface RunLmRecipeOptions extends Omit<RunRecipeOptions, "data"> {
  readonly texts: (recipe: LmPretrainRecipe["texts"]) => Promise<LanguageTexts>;
}

export async function runLmRecipe(options: RunLmRecipeOptions): Promise<LoopResult> {
  const { root, signal, onLine } = options;
  const { recipe, identity } = await loadLmRecipe(options.recipe);
  const run = join(root, recipe.name ?? recipe.stage);
  const folder = join(run, "model");
  const earlier =
    recipe.continues === undefined
      ? undefined
      : await earlierRun(join(root, recipe.continues, "model"), recipe, options.recipe);
  await makeFolder(folder);
  const texts = await options.texts(recipe.texts);
  const tokenizer = await vocabulary(folder, texts.train, recipe.lm.vocabulary, earlier?.tokenizer);
  const config = llamaSizes(recipe, tokenizer.size);
  const { train, validation, beside, baseline } = sequencesOf(texts, tokenizer, recipe, options.recipe);
  const steps = options.steps ?? recipe.steps;
  const runtime = new Runtime({ device: options.device ?? "cpu", threads: options.threads || availableParallelism() });
  try {
    const stage = lmStage({
      name: recipe.stage,
      config,
      length: recipe.length,
      train,
      room: await roomFor(train, recipe.batch, recipe.length),
      validation,
      validationCount: Math.min(recipe.validation, validation.count),
      beside,
      runtime,
      ...(earlier ? { start: earlier.weights } : {}),
    });
    onLine?.(baseline);
    const result = await trainLoop(stage, {
      run,
      runtime,
      identity: hashOf(
        identity,
        train.identity,
        JSON.stringify(tokenizer.json),
        ...startHash(earlier?.weights ?? new Map()),
        String(steps),
      ),
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

interface EarlierRun {
  readonly tokenizer: LmTokenizer;
  readonly weights: ReadonlyMap<string, Float32Array>;
}

/** What a run goes on from. @throws InputError if its sizes are not those of the recipe; SetupError if it is not there. */
async function earlierRun(folder: string, recipe: LmPretrainRecipe, where: string): Promise<EarlierRun> {
  const weights = await loadWeights(join(folder, "model.safetensors"));
  const tokenizer = await LmTokenizer.open(folder);
  const { max_position_embeddings: _, ...expected } = writeLmConfig(llamaSizes(recipe, tokenizer.size));
  const found = (await readJsonFile(join(folder, "config.json"))) as Readonly<Record<string, unknown>>;
  for (const [key, value] of Object.entries(expected))
    if (JSON.stringify(found[key]) !== JSON.stringify(value))
      throw new InputError(`${where}: lm: expected the sizes of ${folder}, got ${key} ${value}, there ${found[key]}.`);
  if (recipe.lm.vocabulary < tokenizer.size)
    throw new InputError(
      `${where}: lm.vocabulary: expected at least the ${tokenizer.size} of ${folder}, got ${recipe.lm.vocabulary}.`,
    );
  return { tokenizer, weights };
}

/** The tokenizer of the run that this one goes on from, of an earlier start of this one, or a new one. */
async function vocabulary(
  folder: string,
  texts: readonly LanguageText[],
  size: number,
  earlier?: LmTokenizer,
): Promise<LmTokenizer> {
  const write = async (json: Readonly<Record<string, unknown>>): Promise<void> => {
    const names = { bos_token: "<s>", eos_token: "</s>", tokenizer_class: "PreTrainedTokenizerFast" };
    await writeFileAtomic(join(folder, "tokenizer_config.json"), `${JSON.stringify(names, null, 2)}\n`);
    await writeFileAtomic(join(folder, "tokenizer.json"), `${JSON.stringify(json)}\n`);
  };
  if (earlier) await write(earlier.json);
  else
    await readJsonFile(join(folder, "tokenizer.json"), 16e6).catch(async (error) => {
      if (!isMissing(error)) throw error;
      const all = texts.map(({ given, text }) => given + text);
      await write(trainBpe(all, { size, special: SPECIAL }));
    });
  return LmTokenizer.open(folder);
}
