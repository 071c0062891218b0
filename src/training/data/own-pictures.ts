/** A user's own pictures as training data: folders with captions and WebDataset tars. */

import { hashText } from "../../base/rng.ts";
import { openDataset, type ProblemKind } from "../../data/index.ts";
import type { TrainingData } from "../run-recipe.ts";

/** One sample in twenty, chosen by its key, is kept for validation. */
const isValidation = (key: string): boolean => hashText(key) % 20 === 0;

export interface UserDataOptions {
  /** Folders, tar files or globs. */
  readonly sources: readonly string[];
  /** Side of the pictures, px. */
  readonly size: number;
  /** Told in one line of each broken picture, missing caption or cut tar, once; none of them ends the run. */
  readonly onProblem?: (message: string, kind: ProblemKind) => void;
}

/** @throws InputError if no sample with a caption is found. */
export async function userData({ sources, size, onProblem }: UserDataOptions): Promise<TrainingData> {
  const all = await openDataset(sources, { size, ...(onProblem ? { onProblem } : {}) });
  // A handful of pictures may hold none for one of the two: then scores are on training pictures.
  const train = all.part((key) => !isValidation(key)) ?? all;
  const validation = all.part(isValidation) ?? train;
  return { train, validation, words: () => train.captions() };
}
