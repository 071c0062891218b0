/** Training: stages, the loop, recipes. */
export { codebookHealth } from "./codebook-health.ts";
export { languageTexts } from "./language-texts.ts";
export { stageOf, TUNING_STAGES, type TuningRecipe } from "./lm-recipe.ts";
export type { LanguageTexts } from "./lm-sequences.ts";
export { type LogLine, type LoopOptions, type LoopResult, type Stage, trainLoop } from "./loop.ts";
export type { Picture, Pictures } from "./pictures.ts";
export { loadRecipe, type Recipe } from "./recipe.ts";
export { runLmRecipe } from "./run-lm-recipe.ts";
export { type RunRecipeOptions, runRecipe, type TrainingData } from "./run-recipe.ts";
export { type PictureTalk, type RunTuningOptions, runTuningRecipe } from "./run-tuning-recipe.ts";
export { sceneData, scenePictures } from "./scene-data.ts";
export { sceneTalk, userTalk } from "./scene-talk.ts";
export { type UserDataOptions, userData } from "./user-data.ts";
