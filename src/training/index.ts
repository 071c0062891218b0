/** Training: stages, the loop, recipes. */
export { codebookHealth } from "./codebook/health.ts";
export { sceneTalk, userTalk } from "./data/described-pictures.ts";
export { languageTexts } from "./data/language-texts.ts";
export { type UserDataOptions, userData } from "./data/own-pictures.ts";
export type { Picture, Pictures } from "./data/pictures.ts";
export { sceneData, scenePictures } from "./data/scenes.ts";
export type { LanguageTexts } from "./data/text-sequences.ts";
export { stageOf, TUNING_STAGES, type TuningRecipe } from "./lm-recipe.ts";
export { type LogLine, type LoopOptions, type LoopResult, type Stage, trainLoop } from "./loop/loop.ts";
export { loadRecipe, type Recipe } from "./recipe.ts";
export { runLmRecipe } from "./run-lm-recipe.ts";
export { type RunRecipeOptions, runRecipe, type TrainingData } from "./run-recipe.ts";
export { type PictureTalk, type RunTuningOptions, runTuningRecipe } from "./run-tuning-recipe.ts";
