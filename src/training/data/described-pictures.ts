/** What is said of built-in scenes, beside the codes of their pictures: what a language model learns to see and draw from. */
import { join } from "node:path";
import { openAtlas } from "../../data/atlas.ts";
import { codeShards, type DescribedCodes, describedScenes, readCodeFolder } from "../../data/described-codes.ts";
import { everydayNouns, nounTable } from "../../data/nouns.ts";
import { createSceneSource, type SceneSource } from "../../data/scenes.ts";
import type { SeedTokenizer } from "../../image-tokenizer/seed-tokenizer.ts";
import type { TuningRecipe } from "../lm-recipe.ts";
import type { PictureTalk } from "../run-tuning-recipe.ts";
import { hashOf } from "./feature-cache.ts";

/** Kinds of things in a picture that has many. */
const MANY = 3;

/** Tokenizes scenes, once for each tokenizer; the codes stay in the run folder. */
export async function sceneTalk(
  tokenizer: SeedTokenizer,
  { nouns, scenes, validation }: TuningRecipe["data"],
  root: string,
  onProgress?: (done: number, total: number) => void,
): Promise<PictureTalk> {
  const atlas = await openAtlas();
  const list = nouns === 0 ? [...nounTable().keys()] : everydayNouns(nouns);
  const size = tokenizer.config.vision.imageSize;
  const { codebookSize, codebookHash } = tokenizer;
  const rows = async (split: "train" | "validation", count: number): Promise<DescribedCodes[]> => {
    const source = createSceneSource(atlas, { size, nouns: list, split });
    return codeShards({
      folder: join(root, "codes", hashOf("codes-1", codebookHash, split, String(size), source.nouns.join())),
      count,
      codebookSize,
      make: (start, size) => describedScenes((images) => tokenizer.encode(images), source, start, size),
      ...(onProgress ? { onProgress } : {}),
    });
  };
  const train = await rows("train", scenes);
  return {
    train,
    validation: await rows("validation", validation),
    many: () => manyThings(createSceneSource(atlas, { size: 8, nouns: list, split: "train" }), train.length), // nobody looks
    identity: `scenes ${scenes} ${list.length}`,
    codes: codebookSize,
    vectors: tokenizer.codebook,
    codebook: codebookHash,
  };
}

/** Which of the first scenes show three kinds of things or more. */
export function manyThings(source: SceneSource, count: number): number[] {
  const kinds = (i: number): number => new Set(source.scene(i).objects.map(({ noun }) => noun)).size;
  return Array.from({ length: count }, (_, i) => i).filter((i) => kinds(i) >= MANY);
}

/** A user's own codes with captions: .jsonl files in a folder; one line in twenty is kept for validation. */
export async function userTalk(tokenizer: SeedTokenizer, folder: string): Promise<PictureTalk> {
  const { codebookSize, codebookHash } = tokenizer;
  const rows = await readCodeFolder(folder, codebookSize);
  const held = rows.filter((_, i) => i % 20 === 19);
  const train = rows.filter((_, i) => i % 20 !== 19);
  return {
    train,
    validation: held.length > 0 ? held : train,
    identity: hashOf(JSON.stringify(rows)),
    codes: codebookSize,
    vectors: tokenizer.codebook,
    codebook: codebookHash,
  };
}
