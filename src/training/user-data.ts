/** A user's own pictures as training data: folders with captions and WebDataset tars. */
import { openDataset } from "../data/index.ts";
import { InputError } from "../errors.ts";
import { hashText } from "../rng.ts";
import type { TrainingData } from "./run-recipe.ts";

/** One sample in twenty, chosen by its key, is kept for validation. */
const isValidation = (key: string): boolean => hashText(key) % 20 === 0;

export interface UserDataOptions {
  /** Folders, tar files or globs. */
  readonly sources: readonly string[];
  /** Side of the pictures, px. */
  readonly size: number;
  /** Told in one line of each broken picture, missing caption or cut tar; none of them ends the run. */
  readonly onProblem?: (message: string) => void;
}

/** @throws InputError if no sample with a caption is found. */
export async function userData({ sources, size, onProblem }: UserDataOptions): Promise<TrainingData> {
  const report = onProblem ? { onProblem } : {};
  const train = await openDataset([...sources], { size, keep: (key) => !isValidation(key), ...report });
  // A handful of pictures may hold none for validation: then scores are on training pictures.
  const validation = await openDataset([...sources], { size, keep: isValidation }).catch((error: unknown) => {
    if (error instanceof InputError) return train;
    throw error;
  });
  return { train, validation, words: () => train.captions() };
}
