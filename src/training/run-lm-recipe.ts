/** Runs a recipe of a language model: texts, vocabulary, training, and a Hugging Face folder at the end. */
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { readJsonFile, writeSafetensors } from "../checkpoint/index.ts";
import { InputError, SetupError } from "../errors.ts";
import { Trigram } from "../evaluation/trigram.ts";
import { makeFolder, writeFileAtomic } from "../files.ts";
import { languageModelWeights } from "../models/language-model.ts";
import { writeLmConfig } from "../models/lm-config.ts";
import { Runtime } from "../runtime/index.ts";
import { LmTokenizer, trainBpe } from "../text/index.ts";
import { hashOf } from "./feature-cache.ts";
import { type LmPretrainRecipe, llamaSizes, loadLmRecipe } from "./lm-recipe.ts";
import { lmStage, roomFor, type Sequences } from "./lm-stage.ts";
import { type LoopResult, trainLoop } from "./loop.ts";
import { packedTexts } from "./packed-texts.ts";
import { loopSettings } from "./recipe.ts";
import { loadWeights, type RunRecipeOptions, startHash } from "./run-recipe.ts";
import { type EncodedText, wholeTexts } from "./whole-texts.ts";

/** Begin and end of a conversation, and the marks of turns: the same as SEED-LLaMA's base and as CHATML has them. */
const SPECIAL = ["<s>", "</s>", "<|im_start|>", "<|im_end|>"] as const;

/** A text, and the list of words that stands before it; "" where there is none. */
export interface LanguageText {
  readonly given: string;
  readonly text: string;
}

/** Texts to learn from and texts to be measured by. */
export interface LanguageTexts {
  readonly train: readonly LanguageText[];
  readonly heldOut: readonly LanguageText[];
}

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

interface LmSequences {
  readonly train: Sequences;
  readonly validation: Sequences & { readonly count: number };
  readonly beside: Readonly<Record<string, Sequences>>;
  /** What is known before anything is learned. */
  readonly baseline: Readonly<Record<string, number>>;
}

/** Texts one behind the other, beside what a trigram model reaches; or one by one behind lists, beside the wrong lists. */
function sequencesOf(
  texts: LanguageTexts,
  tokenizer: LmTokenizer,
  { length, seed, validation, texts: { readLists } }: LmPretrainRecipe,
  where: string,
): LmSequences {
  const identity = hashOf(JSON.stringify(texts.train));
  const end = tokenizer.eos!;
  const encode = ({ given, text }: LanguageText): EncodedText => ({
    given: tokenizer.encode(given),
    said: tokenizer.encode(text),
  });
  const [learned, heldOut] = [texts.train.map(encode), texts.heldOut.map(encode)];
  if (readLists) {
    const listed = heldOut.filter(({ given }) => given.length > 0);
    const plain = heldOut.filter(({ given }) => given.length === 0);
    if (listed.length === 0)
      throw new InputError(
        `${where}: texts.readLists: expected held-out scenes behind lists, found none. Raise texts.listed or texts.scenes.`,
      );
    const common = { end, seed, identity: "held out" };
    return {
      train: wholeTexts(learned, { ...common, identity }),
      validation: { ...wholeTexts(listed, common), count: listed.length },
      beside: {
        ...(listed.length > 1 ? { wrongList: wholeTexts(listed, { ...common, wrongGiven: true }) } : {}),
        ...(plain.length > 0 ? { text: wholeTexts(plain, common) } : {}),
      },
      baseline: { texts: learned.length },
    };
  }
  const whole = (all: readonly EncodedText[]): number[][] => all.map(({ given, said }) => [...given, ...said]);
  const train = packedTexts(whole(learned), { identity, end, length });
  const held = packedTexts(whole(heldOut), { identity: "held out", end, length });
  const count = Math.min(validation, held.perEpoch);
  const measured = Array.from({ length: count }, (_, i) => (held.get(i) as { ids: number[] }).ids);
  return {
    train,
    validation: { ...held, count },
    beside: {},
    baseline: {
      texts: learned.length,
      tokens: train.perEpoch * length,
      ...trigramBaseline(whole(learned), measured, tokenizer.size, end),
    },
  };
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
      if (!(error instanceof SetupError)) throw error;
      const all = texts.map(({ given, text }) => given + text);
      await write(trainBpe(all, { size, special: SPECIAL }));
    });
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
