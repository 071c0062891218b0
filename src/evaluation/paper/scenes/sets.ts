/** What arms are measured on: sets of built-in scenes, and the models that an arm consists of. */
import { UsageError } from "../../../base/errors.ts";
import type { Codes } from "../../../codes/index.ts";
import { type Atlas, createSceneSource, referenceCaptions, type Scene, type Split } from "../../../data/index.ts";
import type { RgbImage } from "../../../image/index.ts";
import type { SeedTokenizer } from "../../../image-tokenizer/seed-tokenizer.ts";
import type { SeedLanguageModel } from "../../../language/seed-language-model.ts";
import type { GillModel } from "../../../training/language/gill-model.ts";
import type { Judge } from "../../judge.ts";
import { nounList } from "../../metrics/noun-list.ts";
import type { ArmSpeaker } from "./speakers.ts";

export interface SceneArmOptions {
  readonly atlas: Atlas;
  /** The first n everyday nouns; 0 for the full table. */
  readonly nouns: number;
  /** First seed of test scenes: published scores are of seeds that no choice has seen. */
  readonly offset: number;
  /** Scenes of each set; retrieval also has a set of five times as many. */
  readonly count: number;
  /** Ablations: how many of them are decoded. Default: all. */
  readonly decoded?: number | undefined;
  /** Prompts that are drawn without a rule. */
  readonly prompts: number;
  /** Training scenes among which the nearest is searched; the answers of eight times as many are counted. */
  readonly gallery: number;
  readonly tokenizer: SeedTokenizer;
  /** For causality. */
  readonly model?: SeedLanguageModel;
  /** For understanding. */
  readonly speaker?: ArmSpeaker;
  /** For the arm `gill`. */
  readonly gill?: GillModel;
  /** Whose CLIP pair compares pictures: another network than the one that was trained against. */
  readonly judge?: SeedTokenizer;
  /** Compares pictures instead of a CLIP pair, and finds which objects they show. */
  readonly pictureJudge?: Judge;
  /** Called with the pictures of the test set that an arm of generation made. */
  readonly onPictures?: (pictures: readonly RgbImage[]) => void;
  readonly signal?: AbortSignal;
  readonly onProgress?: (label: string, done?: number, total?: number) => void;
}

export const BATCH = { batch: 64 };

const SETS: readonly (readonly [set: string, split: Split])[] = [
  ["held-out style", "held-out-style"],
  ["held-out pairs", "held-out-pairs"],
  ["held-out concepts", "held-out-concepts"],
];

export interface SceneSet {
  readonly set: string;
  readonly scenes: readonly Scene[];
  /** Five wordings of each. */
  readonly references: readonly (readonly string[])[];
}

export function scenesOf(
  set: string,
  split: Split,
  count: number,
  { atlas, nouns, offset, tokenizer }: SceneArmOptions,
): SceneSet {
  const size = tokenizer.config.vision.imageSize;
  const source = createSceneSource(atlas, { size, nouns: nounList(nouns), split, offset, questions: "balanced" });
  const numbers = Array.from({ length: count }, (_, i) => i);
  return {
    set,
    scenes: numbers.map((i) => source.scene(i)),
    references: numbers.map((i) => referenceCaptions(source.plan(i))),
  };
}

/** Test sets of these numbers of scenes, and those of all that was held out. */
export function* sceneSets(
  options: SceneArmOptions,
  tests: readonly (readonly [string, number])[] = [["test", options.count]],
): Generator<SceneSet> {
  for (const [set, count] of tests) yield scenesOf(set, "test", count, options);
  for (const [set, split] of SETS) yield scenesOf(set, split, options.count, options);
}

export function trainingScenes({ atlas, nouns, tokenizer, gallery }: SceneArmOptions): Scene[] {
  const size = tokenizer.config.vision.imageSize;
  const source = createSceneSource(atlas, { size, nouns: nounList(nouns), split: "train", questions: false });
  return Array.from({ length: gallery }, (_, i) => source.scene(i));
}

export async function codesOf(tokenizer: SeedTokenizer, images: readonly RgbImage[]): Promise<Codes[]> {
  return (await tokenizer.encode(images, BATCH)).map(({ codes }) => [...codes]);
}

export const thousands = (n: number): string => n.toLocaleString("en");

export function unknownArm(arm: string, known: string): UsageError {
  return new UsageError(`${arm}: expected ${known}. Other arms need models of another kind.`);
}
