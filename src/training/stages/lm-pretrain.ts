/**
 * Stage `lm-pretrain`: a small Llama learns English from texts alone, and how scenes are described; frozen afterwards. It
 * stands for the off-the-shelf language model. Ends in a Hugging Face folder, `model` in the stage's folder.
 */
import { join } from "node:path";
import { z } from "zod";
import { InputError, UsageError } from "../../base/errors.ts";
import { entry } from "../../base/item.ts";
import { isMissing, makeFolder, writeFileAtomic } from "../../io/files.ts";
import { hashOf } from "../../io/hash.ts";
import { languageModelWeights } from "../../models/language-model.ts";
import type { LlamaConfig } from "../../models/llama.ts";
import { writeLmConfig } from "../../models/lm-config.ts";
import { bpeMerges, LmTokenizer } from "../../text/index.ts";
import { readJsonFile, writeSafetensors } from "../../weights/index.ts";
import { type LanguageText, sequencesOf } from "../data/text-sequences.ts";
import { lmStage, roomFor } from "../language/lm-stage.ts";
import { Breath } from "../loop/breath.ts";
import type { LoopResult, Work } from "../loop/loop.ts";
import { type LanguageModelSizes, languageModelSizes, textsData } from "../recipe/text-keys.ts";
import { count, key, trainingKeys } from "../recipe/training-keys.ts";
import { defineStage } from "./definition.ts";

/** Begin and end of a conversation, and the marks of turns: those of SEED-LLaMA's base and of ChatML. */
const SPECIAL = ["<s>", "</s>", "<|im_start|>", "<|im_end|>"] as const;

export const lmPretrain = defineStage({
  name: "lm-pretrain",
  about: "A small Llama, from text alone; then frozen.",
  paper: "stands for the off-the-shelf language model (arXiv 2307.08041, section 3.3)",
  recipe: z.strictObject({
    ...trainingKeys,
    lm: languageModelSizes,
    length: key(count, "tokens of a sequence"),
    texts: textsData,
    validation: key(count.default(200), "held-out sequences that measure the perplexity, at most", "count"),
  }),
  needs: [],
  makes: "language model",
  owns: [],
  async build(c) {
    const { recipe, runtime, where } = c;
    if (!c.sources.texts) throw new UsageError(`${where}: expected texts to learn from, got none.`);
    const folder = join(c.stageFolder, "model");
    const earlier = c.start && (await earlierTokenizer(join(c.start.folder, "model"), recipe.lm, where));
    await makeFolder(folder);
    const texts = await c.sources.texts(recipe.texts, c);
    const tokenizer = await vocabulary(c, folder, texts.train, earlier);
    const config = llamaConfig(recipe.lm, tokenizer.size);
    const { length, seed, batch } = recipe;
    const { readLists } = recipe.texts;
    const { signal, onProgress } = c;
    const options = { length, seed, validation: recipe.validation, readLists, where, signal, onProgress };
    const { train, validation, beside, baseline } = await sequencesOf(texts, tokenizer, options);
    c.dependsOn("data", hashOf(train.identity));
    c.dependsOn("tokenizer", hashOf(JSON.stringify(tokenizer.json)));
    const stage = lmStage({
      name: "lm-pretrain",
      config,
      length,
      train,
      room: await roomFor(train, batch, length, c.shares),
      validation,
      validationCount: Math.min(recipe.validation, validation.count),
      beside,
      runtime,
      start: c.start?.weights,
    });
    return { stage, baseline, finish: (result) => writeModel(folder, config, result) };
  },
});

export function llamaConfig(sizes: LanguageModelSizes, vocabulary: number): LlamaConfig {
  const headWidth = sizes.width / sizes.heads;
  return { kind: "llama", ...sizes, vocabulary, tied: true, headWidth, eps: 1e-5, ropeBase: 10_000 };
}

async function writeModel(folder: string, config: LlamaConfig, { weights }: LoopResult): Promise<void> {
  const tensors = languageModelWeights(config).map(([name, shape]) => {
    return { name, dtype: "F16", shape, data: entry(weights, name) } as const;
  });
  await writeSafetensors(join(folder, "model.safetensors"), tensors, { format: "pt" });
  await writeFileAtomic(join(folder, "config.json"), `${JSON.stringify(writeLmConfig(config), null, 2)}\n`);
}

/** The tokenizer of the run that this one begins with. @throws InputError if that has other sizes than the recipe */
async function earlierTokenizer(folder: string, sizes: LanguageModelSizes, where: string): Promise<LmTokenizer> {
  const tokenizer = await LmTokenizer.open(folder);
  const { max_position_embeddings: _, ...expected } = writeLmConfig(llamaConfig(sizes, tokenizer.size));
  const found = (await readJsonFile(join(folder, "config.json"))) as Readonly<Record<string, unknown>>;
  for (const [name, value] of Object.entries(expected))
    if (JSON.stringify(found[name]) !== JSON.stringify(value))
      throw new InputError(
        `${where}: lm: expected the sizes of ${folder}, got ${name} ${value}, there ${found[name]}.`,
      );
  if (sizes.vocabulary < tokenizer.size)
    throw new InputError(
      `${where}: lm.vocabulary: expected at least the ${tokenizer.size} of ${folder}, got ${sizes.vocabulary}.`,
    );
  return tokenizer;
}

/** The tokenizer of the run that this one begins with, of an earlier start of this one, or a new one. */
async function vocabulary(
  { recipe, signal, onProgress }: Work & { readonly recipe: { readonly lm: LanguageModelSizes } },
  folder: string,
  texts: readonly LanguageText[],
  earlier?: LmTokenizer,
): Promise<LmTokenizer> {
  const size = recipe.lm.vocabulary;
  const write = async (json: Readonly<Record<string, unknown>>): Promise<void> => {
    const names = { bos_token: "<s>", eos_token: "</s>", tokenizer_class: "PreTrainedTokenizerFast" };
    await writeFileAtomic(join(folder, "tokenizer_config.json"), `${JSON.stringify(names, null, 2)}\n`);
    await writeFileAtomic(join(folder, "tokenizer.json"), `${JSON.stringify(json)}\n`);
  };
  const learnVocabulary = async (): Promise<Readonly<Record<string, unknown>>> => {
    const breath = new Breath(signal);
    const merges = bpeMerges(
      texts.map(({ given, text }) => given + text),
      { size, special: SPECIAL },
    );
    for (;;) {
      const { done, value } = merges.next();
      if (done) return value;
      onProgress?.("learning a vocabulary", value, size, "tokens");
      await breath.take();
    }
  };
  if (earlier) await write(earlier.json);
  else
    await readJsonFile(join(folder, "tokenizer.json"), 16e6).catch(async (error) => {
      if (!isMissing(error)) throw error;
      await write(await learnVocabulary());
    });
  return LmTokenizer.open(folder);
}
