/** Where a training gets what it learns from: the caller decides, stages ask. */
import type { Work } from "../loop/loop.ts";
import type { DescribedData } from "../recipe/described-keys.ts";
import type { PictureData } from "../recipe/picture-keys.ts";
import type { TextsData } from "../recipe/text-keys.ts";
import type { DescribedPictures } from "./described-pictures.ts";
import type { TrainingData } from "./pictures.ts";
import type { LanguageTexts } from "./text-sequences.ts";

export interface CodesFrom {
  /** The run folder, where codes may be kept. */
  readonly root: string;
  /** The model folder that the chain made, if it made one. */
  readonly model?: string;
  /** A run folder for the causal embeddings of the pictures, where these are wanted too. */
  readonly features?: string | undefined;
}

export interface Sources {
  /** Names the data as a whole, for instance by a hash: stages that were trained on other data are not used. */
  readonly identity?: string;
  /** Pictures with captions. @param examples how many a run will see */
  readonly pictures?: (data: PictureData, size: number, examples: number, work: Work) => Promise<TrainingData>;
  /** Plain texts. */
  readonly texts?: (texts: TextsData, work: Work) => Promise<LanguageTexts>;
  /** Codes of pictures with what is said of them. */
  readonly describedPictures?: (data: DescribedData, from: CodesFrom, work: Work) => Promise<DescribedPictures>;
  /** The frozen language model: folder, GGUF file or name on the Hub. Default: what the recipe says, in the run folder. */
  readonly base?: string;
}
