/** Own pictures as training data: folders with captions and WebDataset tars. */
import { hashText } from "../../base/rng.ts";
import { type Dataset, openDataset, type ProblemKind } from "../../data/index.ts";
import type { Pictures, TrainingData } from "./pictures.ts";

/** One picture in twenty, chosen by its key, is held out. */
const isValidation = (key: string): boolean => hashText(key) % 20 === 0;

export interface OwnPicturesOptions {
  /** Folders, tar files or globs. */
  readonly sources: readonly string[];
  /** Side of the pictures, px. */
  readonly size: number;
  /** Called once for each broken picture, missing caption or cut tar, with one line; none of them ends the run. */
  readonly onProblem?: (message: string, kind: ProblemKind) => void;
}

/**
 * With too few pictures to hold any out, scores are on training pictures.
 * @throws InputError if there is no picture with a caption
 */
export async function ownPictures({ sources, size, onProblem }: OwnPicturesOptions): Promise<TrainingData> {
  const all = await openDataset(sources, { size, onProblem });
  const train = all.part((key) => !isValidation(key)) ?? all;
  const validation = all.part(isValidation) ?? train;
  return { train: picturesOf(train), validation: picturesOf(validation), words: () => train.captions() };
}

function picturesOf(dataset: Dataset): Pictures {
  return { identity: dataset.identity, count: dataset.length, get: (index) => dataset.get(index) };
}
