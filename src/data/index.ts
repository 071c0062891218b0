export { type Atlas, type AtlasOptions, loadAtlas, openAtlas, type Sprite } from "./atlas.ts";
export { BACKGROUNDS, type BackgroundName, type ColorName } from "./colors.ts";
export type { Background } from "./draw.ts";
export {
  type HardNegative,
  hardNegatives,
  type MinimalPair,
  type MinimalPairOptions,
  minimalPairs,
  NEGATIVE_KINDS,
  type NegativeKind,
} from "./hard-negatives.ts";
export { SCENE_KINDS, type SceneKind } from "./layout.ts";
export { type Dataset, type DatasetOptions, openDataset, type Sample } from "./loader.ts";
export { pixelNearestNeighbor, type SpritePicture, singleSprite, spritesOf } from "./naming.ts";
export {
  everydayNouns,
  type Icon,
  type Noun,
  nounTable,
  STYLES,
  type Style,
  TEST_STYLES,
  TRAIN_STYLES,
  VALIDATION_STYLE,
} from "./nouns.ts";
export { manyPhrase, onePhrase } from "./phrases.ts";
export {
  HABIT_SCENES,
  type Habit,
  habitScores,
  type QuestionHabits,
  questionHabits,
  thinQuestions,
} from "./question-habits.ts";
export type { Question } from "./questions.ts";
export { referenceCaptions } from "./reference-captions.ts";
export {
  createSceneSource,
  type Scene,
  type SceneObject,
  type SceneOptions,
  type ScenePlan,
  type SceneSource,
} from "./scenes.ts";
export { contactSheet, type SheetItem, type SheetOptions } from "./sheet.ts";
export type { ProblemKind } from "./sources.ts";
export {
  isHeldOutConcept,
  isHeldOutCount,
  isHeldOutPair,
  SPLITS,
  type Split,
} from "./splits.ts";
export { glossOf, isHeldOutText, nounFacts, wordNetTexts } from "./texts.ts";
export { readShard, type ShardSample, sceneSample, writeShard, writeShards } from "./webdataset.ts";
