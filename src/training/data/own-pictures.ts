/** Own pictures as training data: folders with captions and WebDataset tars. */
import { type Dataset, openDataset, type ProblemKind } from "../../data/index.ts";
import type { Pictures, TrainingData } from "./pictures.ts";

/** Fewer validation pictures say too little, and more add nothing. */
const [LEAST, MOST] = [8, 1000];
/** With fewer pictures than this, nearly all are needed for training. */
const FEW = 50;

/** A tenth of the pictures is held out: 8 to 1,000 of them where there are 50 or more. */
export function heldOut(pictures: number): number {
  if (pictures < FEW) return Math.floor(pictures / 10);
  return Math.min(MOST, Math.max(LEAST, Math.ceil(pictures / 10)));
}

export interface OwnPicturesOptions {
  /** Folders, tar files or globs. */
  readonly sources: readonly string[];
  /** Side of the pictures, px. */
  readonly size: number;
  /** Called once for each broken picture, missing caption or cut tar, with one line; none of them ends the run. */
  readonly onProblem?: (message: string, kind: ProblemKind) => void;
}

/**
 * All captions of a picture are on one side. With too few pictures to hold any out, scores are on training pictures.
 * @throws InputError if there is no picture with a caption
 */
export async function ownPictures({ sources, size, onProblem }: OwnPicturesOptions): Promise<TrainingData> {
  const all = await openDataset(sources, { size, onProblem });
  const { train, validation } = (await all.split(heldOut(all.length))) ?? { train: all, validation: all };
  const pictures = picturesOf(train);
  return {
    train: pictures,
    validation: validation === train ? pictures : picturesOf(validation),
    words: () => train.captions(),
  };
}

function picturesOf(dataset: Dataset): Pictures {
  const { identity, length: count, get, caption } = dataset;
  return { identity, count, get, caption };
}
