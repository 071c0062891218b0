/**
 * Runs a recipe in which a language model learns to see and to draw: codes of scenes, a frozen base with new words, LoRA,
 * and an adapter folder at the end that PEFT reads too. arXiv 2307.08041 section 3.3.
 */
import { availableParallelism } from "node:os";
import { isAbsolute, join, resolve } from "node:path";
import { InputError, UsageError } from "../base/errors.ts";
import { quote } from "../base/one-line.ts";
import type { DescribedCodes } from "../data/described-codes.ts";
import { normal } from "../graph/index.ts";
import { makeFolder, writeFileAtomic } from "../io/files.ts";
import { localFile } from "../io/hub/index.ts";
import { allNumbers, openBaseModel } from "../language/generation/base-model.ts";
import { PICTURE_MARKS, projectedRows, SHARED_ROWS } from "../models/code-rows.ts";
import { languageModelWeights, vocabularyPaths } from "../models/language-model.ts";
import type { LmConfig } from "../models/lm-config.ts";
import { type LoraConfig, LoraParams, SEED_LORA, SEED_LORA_OPT } from "../models/lora.ts";
import { initialValues } from "../nn/index.ts";
import { mapWeights, Runtime } from "../runtime/index.ts";
import { CHATML, LmTokenizer, SEED_CHAT, withImageTokens } from "../text/index.ts";
import { DESCRIBING, expectSameCodes, type LmManifest, readLmManifest, writeLmManifest } from "../text/lm-manifest.ts";
import {
  type Adapter,
  baseHash,
  expectBase,
  readPeftFolder,
  writePeftFolder,
  writeSafetensors,
} from "../weights/index.ts";
import { hashOf } from "./data/feature-cache.ts";
import { pictureTexts, REQUESTS } from "./data/picture-sequences.ts";
import type { LanguageText, LanguageTexts } from "./data/text-sequences.ts";
import { adapterPaths, lmStage, roomFor } from "./language/lm-stage.ts";
import { storedRows } from "./language/stored-rows.ts";
import { wordRows } from "./language/word-rows.ts";
import { loadTuningRecipe, type TuningRecipe } from "./lm-recipe.ts";
import { type LoopResult, trainLoop } from "./loop/loop.ts";
import { loopSettings } from "./recipe.ts";
import { loadWeights, type RunRecipeOptions, startHash } from "./run-recipe.ts";

/** Codes with what is said of them, and which codebook they come from. */
export interface PictureTalk {
  readonly train: readonly DescribedCodes[];
  readonly validation: readonly DescribedCodes[];
  /** Places of the training rows whose pictures show three kinds of things or more; not known of a user's own codes. */
  readonly many?: () => readonly number[];
  /** Says what the rows are: part of the identity of a run. */
  readonly identity: string;
  readonly codes: number;
  /** The codebook's vectors, f32 [codes,E]. */
  readonly vectors: Float32Array;
  /** Hash of the codebook's vectors. */
  readonly codebook: string;
}

export interface RunTuningOptions extends Omit<RunRecipeOptions, "data"> {
  /** Folder or GGUF file of the base, or the name of one on the Hub; default: what the recipe says, in the chain's folder. */
  readonly base?: string;
  /** An adapter folder to go on from, in place of the run that the recipe continues. */
  readonly adapter?: string;
  readonly talk: (recipe: TuningRecipe["data"], root: string) => Promise<PictureTalk>;
  /** Plain texts, for a recipe that has a share of them. */
  readonly texts?: () => Promise<LanguageTexts>;
}

export async function runTuningRecipe(options: RunTuningOptions): Promise<LoopResult> {
  const { root, signal, onLine } = options;
  const { recipe, identity } = await loadTuningRecipe(options.recipe);
  const run = join(root, recipe.name ?? recipe.stage);
  const baseName = options.base ?? join(root, recipe.base);
  const basePath = await localFile(baseName, { kind: "gguf", ...(signal ? { signal } : {}) });
  const opened = await openBaseModel(basePath);
  const base = { config: opened.config, tokenizer: await opened.tokenizer(), weights: await allNumbers(opened) };
  const hash = await baseHash(basePath);
  const lora: LoraConfig = { ...(base.config.kind === "opt" ? SEED_LORA_OPT : SEED_LORA), ...recipe.lora };
  const earlier = options.adapter
    ? await earlierAdapter(options.adapter, recipe, { lora, hash, base, path: basePath, run })
    : undefined; // before the codes of all scenes are computed
  const talk = await options.talk(recipe.data, root);
  const { json, tokenizer } = withCodes(base.tokenizer, base.config.vocabulary, talk.codes);
  const config: LmConfig = { ...base.config, addedTokens: talk.codes + PICTURE_MARKS };
  const rows = recipe.codeWords === "projection" ? projectedRows(talk.vectors.length / talk.codes) : SHARED_ROWS;
  const table = `${vocabularyPaths(config).embeddings}.codebook`;
  if (recipe.length > config.context)
    throw new InputError(`${options.recipe}: length: expected at most ${config.context}, got ${recipe.length}.`);
  if (earlier) expectSameCodes(earlier.manifest, tokenizer, talk, options.adapter!);
  const start = earlier
    ? adapterValues(options.adapter!, earlier.adapter, adapterPaths(config, lora, rows))
    : await startValues(root, recipe, base, { config, lora, talk });
  const template = recipe.template === "seed" ? SEED_CHAT : CHATML;
  const texts = { stage: recipe.stage, tokenizer, template, drawShare: recipe.drawShare, seed: recipe.seed };
  const share = recipe.textShare;
  const plain = share > 0 ? await plainTexts(options) : undefined;
  const measured = { ...texts, rows: talk.validation, identity: "validation" };
  const draws = recipe.stage !== "see" && recipe.drawShare > 0;
  const beside = {
    seen: pictureTexts({ ...measured, drawShare: 0 }),
    ...(talk.validation.length > 1
      ? { wrongPicture: pictureTexts({ ...measured, drawShare: 0, wrongPictures: true }) }
      : {}),
    ...(draws ? { drawn: pictureTexts({ ...measured, drawShare: 1 }) } : {}),
    ...(plain ? { text: pictureTexts({ ...measured, plain: { texts: plain.heldOut, share: 1 } }) } : {}),
  };
  const steps = options.steps ?? recipe.steps;
  const runtime = new Runtime({ device: options.device ?? "cpu", threads: options.threads || availableParallelism() });
  try {
    const train = pictureTexts({
      ...texts,
      ...(recipe.describeShare === undefined ? {} : { describeShare: recipe.describeShare }),
      ...(recipe.manyShare > 0
        ? { oftener: { places: placesOfMany(options.recipe, talk), share: recipe.manyShare } }
        : {}),
      rows: talk.train,
      identity: talk.identity,
      ...(plain ? { plain: { texts: plain.train, share } } : {}),
    });
    const stage = lmStage({
      name: recipe.stage,
      config,
      rows,
      length: recipe.length,
      train,
      room: await roomFor(train, recipe.batch, recipe.length),
      validation: pictureTexts(measured),
      validationCount: Math.min(recipe.data.validation, talk.validation.length),
      beside,
      runtime,
      adapter: { lora, base: mapWeights(new Map([...base.weights, [table, talk.vectors]])) },
      start,
      rowsRate: recipe.rowsRate,
      kindMargin: recipe.kindMargin,
    });
    const result = await trainLoop(stage, {
      run,
      runtime,
      identity: hashOf(identity, train.identity, talk.codebook, hash, ...startHash(start), String(steps)),
      ...loopSettings(recipe, steps),
      resume: options.resume ?? false,
      ...(signal ? { signal } : {}),
      ...(onLine ? { onLine } : {}),
    });
    if (!result.finished) return result;
    const shapes = new Map(languageModelWeights(config, new LoraParams(lora), rows));
    const tensors = [...result.weights].map(
      ([name, data]) => ({ name, dtype: "F32", shape: shapes.get(name)!, data }) as const,
    );
    await writeSafetensors(join(run, "weights.safetensors"), tensors);
    const stored = storedRows(result.weights, talk);
    const storedShapes = new Map(languageModelWeights(config, new LoraParams(lora)));
    const weights = new Map([...stored].map(([name, data]) => [name, { shape: storedShapes.get(name)!, data }]));
    const adapter: Adapter = {
      lora,
      base: recordedBase(baseName, basePath),
      baseHash: hash,
      firstAddedToken: config.vocabulary,
      weights,
    };
    const manifest: LmManifest = {
      format: "seedling-lm-1",
      template: recipe.template,
      codes: talk.codes,
      codebook: talk.codebook,
      requests: REQUESTS,
      describing: recipe.describing ?? earlier?.manifest.describing ?? DESCRIBING,
    };
    await writeAdapter(join(run, "adapter"), adapter, json, base.tokenizer.config, manifest);
    return result;
  } finally {
    await runtime.close();
  }
}

function placesOfMany(recipe: string, { many }: PictureTalk): readonly number[] {
  if (!many)
    throw new InputError(`${recipe}: manyShare: expected built-in scenes, which say what they show. Leave it out.`);
  const places = many();
  if (places.length === 0)
    throw new InputError(`${recipe}: manyShare: none of the scenes has three kinds of things. Raise data.scenes.`);
  return places;
}

async function plainTexts({ recipe, texts }: RunTuningOptions): Promise<{ train: string[]; heldOut: string[] }> {
  if (!texts) throw new UsageError(`${recipe}: textShare: expected plain texts to learn from, got none.`);
  const { train, heldOut } = await texts();
  const whole = ({ given, text }: LanguageText): string => given + text;
  return { train: train.map(whole), heldOut: heldOut.map(whole) };
}

/** A name of the Hub as it is; a path so that it is never taken for one. */
function recordedBase(name: string, path: string): string {
  return path !== name || isAbsolute(name) || name.startsWith(".") ? name : `./${name}`;
}

/** The folder that `describe`, `draw` and `chat` open, and PEFT. */
async function writeAdapter(
  folder: string,
  adapter: Adapter,
  tokenizer: Readonly<Record<string, unknown>>,
  names: Readonly<Record<string, unknown>>,
  manifest: LmManifest,
): Promise<void> {
  await makeFolder(folder);
  await writePeftFolder(folder, adapter, "F16");
  await writeFileAtomic(join(folder, "tokenizer.json"), `${JSON.stringify(tokenizer)}\n`);
  await writeFileAtomic(join(folder, "tokenizer_config.json"), `${JSON.stringify(names, null, 2)}\n`);
  await writeLmManifest(folder, manifest);
}

/** The base's tokenizer with the tokens of codes behind its rows. @throws InputError for one that has some already */
function withCodes(
  base: LmTokenizer,
  vocabulary: number,
  codes: number,
): { json: Readonly<Record<string, unknown>>; tokenizer: LmTokenizer } {
  const json = withImageTokens(base.json, { codes, firstId: vocabulary });
  return { json, tokenizer: new LmTokenizer(json, base.config) };
}

/**
 * An adapter folder that goes on to learn, for whoever has no run folder of it.
 * @throws InputError if it belongs to another base, was taught otherwise than the recipe says, or is what the run writes
 */
async function earlierAdapter(
  folder: string,
  { codeWords, template }: TuningRecipe,
  made: {
    readonly lora: LoraConfig;
    readonly hash: string;
    readonly base: { readonly config: LmConfig };
    readonly path: string;
    readonly run: string;
  },
): Promise<{ readonly adapter: Adapter; readonly manifest: LmManifest }> {
  const { lora, hash, base, path, run } = made;
  if (resolve(folder) === resolve(run, "adapter"))
    throw new InputError(`${folder}: expected an adapter of another run, got the one that this run writes.`);
  if (codeWords === "projection")
    throw new InputError(`${folder}: expected a recipe with codeWords "rows", which is what an adapter stores.`);
  const [adapter, manifest] = [await readPeftFolder(folder), await readLmManifest(folder)];
  expectBase(adapter, { path, hash, config: base.config });
  if (manifest.template !== template)
    throw new InputError(
      `${folder}: expected turns written as the recipe says (${template}), got ${manifest.template}.`,
    );
  const kind = ({ rank, alpha, targets }: LoraConfig): string =>
    `rank ${rank}, alpha ${alpha}, on ${[...targets].sort().join(" ")}`;
  if (kind(adapter.lora) !== kind(lora))
    throw new InputError(
      `${folder}: expected an adapter as the recipe says (${kind(lora)}), got ${kind(adapter.lora)}.`,
    );
  return { adapter, manifest };
}

/** What it has learned, which must be what the recipe teaches; the vector that rows share while they learn begins anew. */
function adapterValues(
  folder: string,
  { weights }: Adapter,
  paths: readonly string[],
): ReadonlyMap<string, Float32Array> {
  const stray = [...weights.keys()].find((path) => !paths.includes(path));
  const missing = paths.find((path) => !weights.has(path) && !path.endsWith(".shared"));
  if (stray) throw new InputError(`${folder}: expected weights that the recipe teaches, got ${quote(stray)}.`);
  if (missing) throw new InputError(`${folder}: expected weights of ${missing}, which the recipe teaches, found none.`);
  return new Map([...weights].map(([path, { data }]) => [path, data]));
}

/** The norms as the base has them, or all that an earlier stage learned; rows may begin as what a projection gave. */
async function startValues(
  root: string,
  { continues, codeWords, rowsStart, seed }: TuningRecipe,
  { weights, tokenizer }: { readonly weights: ReadonlyMap<string, Float32Array>; readonly tokenizer: LmTokenizer },
  { config, lora, talk }: { readonly config: LmConfig; readonly lora: LoraConfig; readonly talk: PictureTalk },
): Promise<ReadonlyMap<string, Float32Array>> {
  if (continues) {
    const earlier = await loadWeights(join(root, continues, "weights.safetensors"));
    return codeWords === "projection" ? earlier : storedRows(earlier, talk);
  }
  const paths = vocabularyPaths(config);
  const known = adapterPaths(config, lora).filter((path) => weights.has(path));
  const start = new Map(known.map((path) => [path, weights.get(path)!]));
  if (codeWords === "rows" && rowsStart === "words") {
    const { width } = config;
    const embeddings = weights.get(`${paths.embeddings}.weight`)!;
    const encode = (caption: string): number[] => tokenizer.encode(` ${caption}`);
    const rows = wordRows({ rows: talk.train, encode, embeddings, width, codes: talk.codes });
    const path = `${paths.embeddings}.added`;
    const all = initialValues(path, [talk.codes + PICTURE_MARKS, width], normal(0.02), seed);
    all.set(rows); // the marks of a picture, behind the codes, begin as noise
    start.set(path, all);
  }
  return start;
}
