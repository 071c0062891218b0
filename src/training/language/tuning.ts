/**
 * The stages in which a frozen language model learns to see and to draw: codes of pictures, new rows of the vocabulary,
 * LoRA, and an adapter folder at the end that PEFT reads too. arXiv 2307.08041 section 3.3.
 */
import { join } from "node:path";
import { InputError, UsageError } from "../../base/errors.ts";
import { hashOf } from "../../io/hash.ts";
import { localFile } from "../../io/hub/index.ts";
import { openBaseModel } from "../../language/generation/base-model.ts";
import type { VocabularyRows } from "../../models/causal-lm.ts";
import { alikeRows, PICTURE_MARKS, projectedRows, SHARED_ROWS } from "../../models/code-rows.ts";
import { vocabularyPaths } from "../../models/language-model.ts";
import type { LmConfig } from "../../models/lm-config.ts";
import { type LoraConfig, SEED_LORA, SEED_LORA_OPT } from "../../models/lora.ts";
import { mapWeights } from "../../runtime/index.ts";
import { CHATML, LmTokenizer, SEED_CHAT, withImageTokens } from "../../text/index.ts";
import { DESCRIBING, expectSameCodes, type LmManifest } from "../../text/lm-manifest.ts";
import { baseHash } from "../../weights/index.ts";
import type { DescribedPictures } from "../data/described-pictures.ts";
import { type PictureStage, pictureTexts, REQUESTS } from "../data/picture-sequences.ts";
import type { LanguageText } from "../data/text-sequences.ts";
import type { TuningRecipe } from "../recipe/tuning-keys.ts";
import type { BuiltStage, StageContext, Weights } from "../stages/definition.ts";
import { writeAdapterFolder } from "./adapter-folder.ts";
import { type FloatWeights, floatWeights } from "./float-weights.ts";
import { lmStage, roomFor, type Sequences } from "./lm-stage.ts";
import { storedRows } from "./stored-rows.ts";
import { adapterValues, baseValues, type EarlierAdapter, openEarlierAdapter } from "./tuning-start.ts";

export { tuningRecipe } from "../recipe/tuning-keys.ts";

type Context = StageContext<TuningRecipe>;

/** The frozen model. */
interface Base {
  readonly name: string;
  readonly path: string;
  readonly hash: string;
  readonly config: LmConfig;
  readonly tokenizer: LmTokenizer;
  readonly weights: FloatWeights;
}

export async function tuningStage(name: PictureStage, c: Context): Promise<BuiltStage> {
  const { recipe, where } = c;
  const base = await openBase(c);
  const lora: LoraConfig = { ...(base.config.kind === "opt" ? SEED_LORA_OPT : SEED_LORA), ...recipe.lora };
  // Before the codes of all scenes are computed: what cannot work is refused early.
  const earlier = await openEarlierAdapter(c, { base, lora });
  if (recipe.length > base.config.context)
    throw new InputError(`${where}: length: expected at most ${base.config.context}, got ${recipe.length}.`);
  if (!c.sources.describedPictures)
    throw new UsageError(`${where}: expected codes of pictures to learn from, got none.`);
  const pictures = await seenPictures(c, c.sources.describedPictures);

  const json = withImageTokens(base.tokenizer.json, { codes: pictures.codes, firstId: base.config.vocabulary });
  const tokenizer = new LmTokenizer(json, base.tokenizer.config);
  const config: LmConfig = { ...base.config, addedTokens: pictures.codes + PICTURE_MARKS };
  const rows = rowsOf(recipe, pictures);
  if (earlier) expectSameCodes(earlier.manifest, tokenizer, pictures, earlier.folder);
  const start = await startOf(c, { base, config, lora, pictures, earlier });

  const sequences = await sequencesOf(name, c, tokenizer, pictures);
  c.dependsOn("data", hashOf(sequences.train.identity));
  const { embeddings, head } = vocabularyPaths(config);
  const codebooks = mapWeights(new Map([embeddings, head].map((table) => [`${table}.codebook`, pictures.vectors])));
  const frozen = { ...base.weights, get: (path: string) => codebooks.get(path) ?? base.weights.get(path) };
  const stage = lmStage({
    ...{ name, config, rows, start, ...sequences },
    features: pictures.features,
    length: recipe.length,
    room: await roomFor(sequences.train, recipe.batch, recipe.length, c.shares),
    validationCount: Math.min(recipe.data.validation, pictures.validation.length),
    runtime: c.runtime,
    adapter: { lora, base: frozen },
    rowsRate: recipe.rowsRate,
    kindMargin: recipe.kindMargin,
  });
  const manifest: LmManifest = {
    format: "seedling-lm-1",
    template: recipe.template,
    inputs: recipe.inputs === "codes" ? undefined : recipe.inputs,
    codes: pictures.codes,
    codebook: pictures.codebook,
    requests: REQUESTS,
    describing: recipe.describing ?? earlier?.manifest.describing ?? DESCRIBING,
  };
  return {
    stage,
    finish: ({ weights }) =>
      writeAdapterFolder(join(c.stageFolder, "adapter"), {
        ...{ base, config, lora, manifest, tokenizer },
        weights: pictures.features ? weights : storedRows(weights, pictures),
      }),
  };
}

/**
 * The pictures as the model sees them. Where it sees features, codes 0..Q-1 are their placeholders in each sequence.
 * @throws InputError for a recipe that draws without codes
 */
async function seenPictures(
  c: Context,
  described: NonNullable<Context["sources"]["describedPictures"]>,
): Promise<DescribedPictures> {
  const { inputs, drawShare, kindMargin, data } = c.recipe;
  if (inputs !== "codes" && drawShare + kindMargin > 0)
    throw new InputError(
      `${c.where}: inputs: expected codes where the model draws, got ${inputs}. Set drawShare and kindMargin to 0.`,
    );
  // Codes are named by their codebook, so that runs can share them; features are large and are this run's alone.
  const from = { root: c.shared, model: c.model, features: inputs === "features" ? c.root : undefined };
  const pictures = await described(data, from, c);
  const { features } = pictures;
  if (!features) {
    c.dependsOn("codebook", pictures.codebook);
    return pictures;
  }
  c.closing(features);
  c.dependsOn("features", features.identity);
  const codes = Array.from({ length: features.queries }, (_, i) => i);
  const placed = (rows: DescribedPictures["train"]) => rows.map((row) => ({ ...row, codes }));
  const { train, validation } = pictures;
  return {
    ...{ ...pictures, train: placed(train), validation: placed(validation) },
    ...{ codes: features.queries, codebook: features.identity, vectors: new Float32Array(features.queries) },
  };
}

async function openBase(c: Context): Promise<Base> {
  const name = c.sources.base ?? join(c.root, c.recipe.base);
  const path = await localFile(name, { kind: "gguf", signal: c.signal });
  c.onProgress?.(`opening the language model ${name}`);
  const opened = await openBaseModel(path);
  const hash = await baseHash(path);
  c.dependsOn("language model", hash);
  const { config } = opened;
  const weights = await floatWeights(opened, join(c.shared, "floats", `${hash}.safetensors`), c.onProgress);
  return { name, path, hash, config, tokenizer: await opened.tokenizer(), weights };
}

interface Made {
  readonly base: Base;
  readonly config: LmConfig;
  readonly lora: LoraConfig;
  readonly pictures: DescribedPictures;
  readonly earlier: EarlierAdapter | undefined;
}

function rowsOf({ codeWords }: TuningRecipe, { vectors, codes }: DescribedPictures): VocabularyRows {
  const E = vectors.length / codes;
  return { rows: SHARED_ROWS, projection: projectedRows(E), both: alikeRows(E) }[codeWords];
}

/** First values: of an earlier adapter, of the stage or phase that this one continues, or of the base. */
async function startOf(c: Context, { base, config, lora, pictures, earlier }: Made): Promise<Weights> {
  const { codeWords } = c.recipe;
  const rows = rowsOf(c.recipe, pictures);
  if (earlier) return adapterValues(c, earlier, { config, lora, rows });
  if (pictures.features)
    return (
      c.start?.weights ?? (await baseValues({ ...c.recipe, rowsStart: "noise" }, base, { config, lora, pictures }))
    );
  if (!c.start) return baseValues(c.recipe, base, { config, lora, pictures });
  // What was learned as a shared vector or a projection continues as plain rows.
  return codeWords === "projection" ? c.start.weights : storedRows(c.start.weights, pictures);
}

/** What is learned, and the validation conversations as a whole and by what the model does in them. */
async function sequencesOf(
  stage: PictureStage,
  c: Context,
  tokenizer: LmTokenizer,
  pictures: DescribedPictures,
): Promise<{ train: Sequences; validation: Sequences; beside: Readonly<Record<string, Sequences>> }> {
  const { drawShare, describeShare, questionShare, manyShare, textShare: share, seed } = c.recipe;
  const template = c.recipe.template === "seed" ? SEED_CHAT : CHATML;
  const plain = share > 0 ? await plainTexts(c) : undefined;
  const { features } = pictures;
  const of = (split: "train" | "validation") =>
    features && { features: (rows: readonly (number | undefined)[]) => features.of(split, rows) };
  const common = { stage, tokenizer, template, drawShare, seed, blind: c.recipe.inputs === "none" };
  const measured = { ...common, rows: pictures.validation, identity: "validation", ...of("validation") };
  const draws = stage !== "see" && drawShare > 0;
  return {
    train: pictureTexts({
      ...{ ...common, ...of("train"), describeShare, questionShare },
      ...{ rows: pictures.train, identity: pictures.identity },
      ...(manyShare > 0 && { oftener: { indices: indicesOfMany(c.where, pictures), share: manyShare } }),
      ...(plain && { plain: { texts: plain.train, share } }),
    }),
    validation: pictureTexts(measured),
    beside: {
      seen: pictureTexts({ ...measured, drawShare: 0 }),
      ...(pictures.validation.length > 1 && {
        wrongPicture: pictureTexts({ ...measured, drawShare: 0, wrongPictures: true }),
      }),
      ...(draws && { drawn: pictureTexts({ ...measured, drawShare: 1 }) }),
      ...(plain && { text: pictureTexts({ ...measured, plain: { texts: plain.heldOut, share: 1 } }) }),
    },
  };
}

function indicesOfMany(where: string, { many }: DescribedPictures): readonly number[] {
  if (!many)
    throw new InputError(`${where}: manyShare: expected built-in scenes, whose objects are known. Leave it out.`);
  const indices = many();
  if (indices.length === 0)
    throw new InputError(`${where}: manyShare: none of the scenes has three kinds of objects. Raise data.scenes.`);
  return indices;
}

/** The glosses of WordNet, or what stands for them. */
async function plainTexts(c: Context): Promise<{ train: string[]; heldOut: string[] }> {
  if (!c.sources.texts) throw new UsageError(`${c.where}: textShare: expected plain texts to learn from, got none.`);
  const glosses = {
    scenes: 0,
    nouns: 0,
    factsTimes: 0,
    wordNetShare: 1,
    listed: 0,
    questions: "all",
    readLists: false,
  } as const;
  const { train, heldOut } = await c.sources.texts(glosses, c);
  const whole = ({ given, text }: LanguageText): string => given + text;
  return { train: train.map(whole), heldOut: heldOut.map(whole) };
}
