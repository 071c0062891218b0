/** Arms that models of this project can be, measured on the built-in scenes: the sets and metrics of the papers' tables. */
import { UsageError } from "../../base/errors.ts";
import type { Codes } from "../../codes/index.ts";
import {
  type Atlas,
  createSceneSource,
  isHeldOutConcept,
  referenceCaptions,
  type Scene,
  type Split,
} from "../../data/index.ts";
import type { RgbImage } from "../../image/index.ts";
import type { SeedTokenizer } from "../../image-tokenizer/seed-tokenizer.ts";
import type { SeedLanguageModel } from "../../language/seed-language-model.ts";
import { speakerOf } from "../language-card.ts";
import { foundThings, likeliestAnswers } from "../language-scores.ts";
import { nounList } from "../metrics/noun-list.ts";
import { nearestByPixels } from "../metrics/pixel-neighbors.ts";
import { WordNetSynonyms } from "../metrics/wordnet-synonyms.ts";
import { imageOf } from "../scores.ts";
import { answerMetrics, captionMetricsOf, type Metrics, recallMetrics, similarityMetric } from "./measure.ts";

export interface SceneArmOptions {
  readonly atlas: Atlas;
  /** The first n everyday nouns; 0 for the full table. */
  readonly nouns: number;
  /** First seed of test scenes: published scores are of seeds that no choice has seen. */
  readonly offset: number;
  /** Scenes of each set; retrieval also has a set of five times as many. */
  readonly count: number;
  /** Prompts that are drawn without a rule. */
  readonly prompts: number;
  /** Training scenes among which the nearest are looked for; the answers of eight times as many are counted. */
  readonly gallery: number;
  readonly tokenizer: SeedTokenizer;
  readonly speaker?: SeedLanguageModel;
  /** Whose CLIP pair compares pictures: another network than the one that was trained against. */
  readonly judge?: SeedTokenizer;
  readonly signal?: AbortSignal;
  readonly onProgress?: (label: string, done?: number, total?: number) => void;
}

const SETS: readonly (readonly [set: string, split: Split])[] = [
  ["held-out style", "held-out-style"],
  ["held-out pairs", "held-out-pairs"],
  ["held-out concepts", "held-out-concepts"],
];
/** Scenes whose answers are counted, for each one of the gallery. */
const HABITS = 8;
const BATCH = { batch: 64 };
const thousands = (n: number): string => n.toLocaleString("en");

export type Results = Record<string, Metrics>;

/** Results of an arm of a table. @throws UsageError for an arm that no model of this kind is */
export async function sceneArm(table: string, arm: string, options: SceneArmOptions): Promise<Results> {
  const measure = { retrieval, generation, understanding, causality }[table];
  if (measure) return measure(arm, options);
  throw new UsageError(
    `${table}: expected retrieval, generation, understanding or causality. Ablations are arms of these.`,
  );
}

function unknown(arm: string, known: string): UsageError {
  return new UsageError(`${arm}: expected ${known}. Other arms need models of another kind.`);
}

interface Scenes {
  readonly set: string;
  readonly scenes: readonly Scene[];
  /** Five wordings of each. */
  readonly references: readonly (readonly string[])[];
}

function scenesOf(
  set: string,
  split: Split,
  count: number,
  { atlas, nouns, offset, tokenizer }: SceneArmOptions,
): Scenes {
  const size = tokenizer.config.vision.imageSize;
  const source = createSceneSource(atlas, { size, nouns: nounList(nouns), split, offset, questions: "balanced" });
  const numbers = Array.from({ length: count }, (_, i) => i);
  return {
    set,
    scenes: numbers.map((i) => source.scene(i)),
    references: numbers.map((i) => referenceCaptions(source.plan(i))),
  };
}

function* sets(
  options: SceneArmOptions,
  tests: readonly (readonly [string, number])[] = [["test", options.count]],
): Generator<Scenes> {
  for (const [set, count] of tests) yield scenesOf(set, "test", count, options);
  for (const [set, split] of SETS) yield scenesOf(set, split, options.count, options);
}

function trainingScenes({ atlas, nouns, tokenizer, gallery }: SceneArmOptions): Scene[] {
  const size = tokenizer.config.vision.imageSize;
  const source = createSceneSource(atlas, { size, nouns: nounList(nouns), split: "train", questions: false });
  return Array.from({ length: gallery }, (_, i) => source.scene(i));
}

async function retrieval(arm: string, options: SceneArmOptions): Promise<Results> {
  const { tokenizer, count, onProgress } = options;
  const by = /-(embeddings|codes)$/.exec(arm)?.[1];
  if (!by) throw unknown(arm, "an arm that ends in -embeddings or -codes");
  const results: Results = {};
  for (const { set, scenes } of sets(
    options,
    [1, 5].map((n) => [`test, ${thousands(n * count)} candidates`, n * count]),
  )) {
    onProgress?.(`retrieval, ${set}`);
    const captions = scenes.map(({ caption }) => caption);
    const texts = await tokenizer.embedText(captions, BATCH);
    const images = scenes.map(imageOf);
    const vectors =
      by === "codes"
        ? await tokenizer.embedCodes(await codesOf(tokenizer, images), BATCH)
        : await tokenizer.embed(images, BATCH);
    results[set] = recallMetrics(vectors, texts, captions);
  }
  return results;
}

async function codesOf(tokenizer: SeedTokenizer, images: readonly RgbImage[]): Promise<Codes[]> {
  return (await tokenizer.encode(images, BATCH)).map(({ codes }) => [...codes]);
}

async function generation(arm: string, options: SceneArmOptions): Promise<Results> {
  const { tokenizer, judge = tokenizer, onProgress, signal } = options;
  const known = arm === "nearest-pixels" ? trainingScenes(options).map(imageOf) : [];
  const make = async (scenes: readonly Scene[], originals: readonly RgbImage[]): Promise<readonly RgbImage[]> => {
    const settings = {
      seed: scenes.map((_, i) => i),
      signal,
      onStep: (done: number, total: number) => onProgress?.(arm, done, total),
    };
    if (arm === "caption")
      return tokenizer.decodeText(
        scenes.map(({ caption }) => caption),
        settings,
      );
    if (arm === "original") return originals;
    if (arm === "flat") return originals.map(flat);
    if (arm === "nearest-pixels") return nearestByPixels(originals, known).map((i) => known[i] as RgbImage);
    const codes = await codesOf(tokenizer, originals);
    if (arm === "other-codes") return tokenizer.decode([...codes.slice(1), ...codes.slice(0, 1)], settings);
    if (arm.startsWith("codes-")) return tokenizer.decode(codes, settings);
    throw unknown(arm, "codes-text, codes-image, codes-ours, caption, original, flat, other-codes or nearest-pixels");
  };
  const nouns = nounList(options.nouns).filter((noun) => !isHeldOutConcept(noun));
  const results: Results = {};
  for (const { set, scenes } of sets(options)) {
    onProgress?.(`${arm}, ${set}`);
    const originals = scenes.map(imageOf);
    const made = await make(scenes, originals);
    const similarity = async (by: SeedTokenizer) =>
      similarityMetric(await by.clipImage(made, BATCH), await by.clipImage(originals, BATCH));
    results[set] = {
      "judge similarity": await similarity(judge),
      "own similarity": await similarity(tokenizer),
      "objects found": { mean: await foundThings(judge, made, scenes, nouns) },
    };
  }
  return results;
}

/** The mean color of a picture, everywhere. */
function flat({ width, height, data }: RgbImage): RgbImage {
  const mean = [0, 1, 2].map(
    (c) => data.reduce((sum, value, i) => (i % 3 === c ? sum + value : sum), 0) / (width * height),
  );
  return { width, height, data: Uint8Array.from(data, (_, i) => Math.round(mean[i % 3] ?? 0)) };
}

async function understanding(arm: string, options: SceneArmOptions): Promise<Results> {
  const { tokenizer, speaker, onProgress } = options;
  const nouns = nounList(options.nouns);
  const scoring = { nouns: nouns.filter((noun) => !isHeldOutConcept(noun)), synonyms: await WordNetSynonyms.open() };
  const known = arm === "nearest-caption" ? trainingScenes(options) : [];
  const training = createSceneSource(options.atlas, { size: 8, nouns, split: "train", questions: "balanced" }); // nobody looks
  const habits =
    arm === "habit"
      ? Array.from({ length: HABITS * options.gallery }, (_, i) => ({ questions: training.scene(i).questions }))
      : [];
  const habit = likeliestAnswers(habits);
  const results: Results = {};
  for (const { set, scenes, references } of sets(options)) {
    const score = (said: readonly string[]): Metrics => captionMetricsOf(said, references, scenes, scoring);
    const asked = scenes.flatMap((scene, i) => scene.questions.map((question) => ({ ...question, i })));
    const answers = asked.map(({ answer }) => answer);
    const progress = (what: string) => (done: number, total: number) => onProgress?.(`${what}, ${set}`, done, total);
    if (arm === "nearest-caption")
      results[set] = score(
        nearestByPixels(scenes.map(imageOf), known.map(imageOf)).map((i) => known[i]?.caption ?? ""),
      );
    else if (arm === "habit") results[set] = answerMetrics(asked.map(habit), answers);
    else if (!speaker) throw new UsageError(`${arm}: expected a model with a language model, got one without.`);
    else if (arm === "codes" || arm === "blind") {
      const said = speakerOf(speaker);
      const codes = arm === "codes" ? await codesOf(tokenizer, scenes.map(imageOf)) : undefined;
      const answered = await said.ask(
        asked.map(({ question, i }) => ({ question, codes: codes?.[i] })),
        progress("answers"),
      );
      const own = answerMetrics(answered, answers);
      if (codes) {
        Object.assign(own, score(await said.describeOnce(codes, progress("captions"))));
        const images = codes.map((one) => ({ codes: one }));
        const beams = score(
          await speaker.describe(images, { beams: 5, maxTokens: 60, onReply: progress("captions, 5 beams") }),
        );
        own["CIDEr-D, 5 beams"] = beams["CIDEr-D"]!;
      }
      results[set] = own;
    } else throw unknown(arm, "codes, blind, habit or nearest-caption");
  }
  return results;
}

async function causality(arm: string, options: SceneArmOptions): Promise<Results> {
  const { speaker, prompts, onProgress } = options;
  if (!arm.endsWith("-codes")) throw unknown(arm, "causal-codes or bilateral-codes");
  if (!speaker) throw new UsageError(`${arm}: expected a model with a language model, got one without.`);
  const { scenes } = scenesOf("test", "test", prompts, options);
  const wishes = scenes.map(({ caption }) => caption);
  const whole = await speakerOf(speaker).drawsWellFormed(wishes, (done, total) =>
    onProgress?.("drawings without a rule", done, total),
  );
  const right = whole.filter(Boolean).length;
  return { [`${thousands(prompts)} prompts`]: { "whole pictures": { right, count: whole.length } } };
}
