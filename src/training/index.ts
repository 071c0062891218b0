/** Training: stages and their registry, recipes and chains, the loop. */
export { codebookHealth } from "../evaluation/metrics/codebook-health.ts";
export { type AssembleOptions, assemble } from "./chain/assemble.ts";
export { assembleLanguage } from "./chain/assemble-language.ts";
export { type Comparison, compareScores, comparisonText } from "./chain/bounds.ts";
export { type Chain, type ChainJson, chainOf, type EvaluationPlan, readChain, triedChain } from "./chain/chain.ts";
export { disassemble } from "./chain/disassemble.ts";
export { type PlannedChain, type PlannedStage, type PlanOptions, planChain, plannedStages } from "./chain/plan.ts";
export { commit, machine } from "./chain/provenance.ts";
export { findRecipe, readModelSizes, readRecipe } from "./chain/read-recipe.ts";
export { type ChainOptions, type ChainResult, runChain } from "./chain/run-chain.ts";
export { isFinished, type PhaseRecord, type RunRecord, readRunRecord } from "./chain/run-record.ts";
export { type RunOptions, runStage, type StageResult } from "./chain/run-stage.ts";
export { type Scores, type TrainingRecord, trainingRecord } from "./chain/training-json.ts";
export { type DescribedPictures, ownCodes, pictureCodes, sceneCodes } from "./data/described-pictures.ts";
export { type Drawings, iconDrawings } from "./data/drawings.ts";
export { languageTexts } from "./data/language-texts.ts";
export { type OwnPicturesOptions, ownPictures } from "./data/own-pictures.ts";
export type { Picture, Pictures, TrainingData } from "./data/pictures.ts";
export { sceneData, scenePictures } from "./data/scenes.ts";
export type { Sources } from "./data/sources.ts";
export type { LanguageTexts } from "./data/text-sequences.ts";
export { GillModel } from "./language/gill-model.ts";
export {
  type Listener,
  type LogLine,
  type LoopOptions,
  type LoopResult,
  type Stage,
  trainLoop,
  type Work,
} from "./loop/loop.ts";
export { type ModelSizes, parseModelSizes } from "./recipe/model-sizes.ts";
export { type StageRecipe, scaledRecipe, shortenedRecipe, splitRecipe, stageRecipe } from "./recipe/stage-recipe.ts";
export { type BuiltStage, defineStage, type StageContext, type StageDefinition } from "./stages/definition.ts";
export { STAGES } from "./stages/registry.ts";
export { readTwins, TWINS, type Twins, triedTwins } from "./twins/read-twins.ts";
export { type Measurement, RESULTS, runTwins, type TwinRun, type TwinsOptions } from "./twins/run-twins.ts";
