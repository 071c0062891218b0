/** Codes of pictures with captions and questions: what a language model learns to see and draw from. */
import { join } from "node:path";
import { item } from "../../base/item.ts";
import { hashText } from "../../base/rng.ts";
import { codeShards, type DescribedCodes, describedScenes, readCodeFolder } from "../../data/described-codes.ts";
import { everydayNouns, nounTable } from "../../data/nouns.ts";
import { createSceneSource, type SceneSource } from "../../data/scenes.ts";
import type { SeedTokenizer } from "../../image-tokenizer/seed-tokenizer.ts";
import { hashOf } from "../../io/hash.ts";
import type { Work } from "../loop/loop.ts";
import { batches } from "../loop/values.ts";
import type { DescribedData } from "../recipe/described-keys.ts";
import { iconDrawings } from "./drawings.ts";
import { type PictureFeatures, sceneFeatures } from "./picture-features.ts";
import { atMost, type Pictures, type TrainingData, take } from "./pictures.ts";

export interface DescribedPictures {
  readonly train: readonly DescribedCodes[];
  readonly validation: readonly DescribedCodes[];
  /** Indices of the training rows whose pictures show three kinds of objects or more; unknown for own codes. */
  readonly many?: () => readonly number[];
  /** Names the rows: part of the identity of a run. */
  readonly identity: string;
  /** Size of the codebook. */
  readonly codes: number;
  /** The codebook's vectors, f32 [codes,E]. */
  readonly vectors: Float32Array;
  /** Hash of the codebook's vectors. */
  readonly codebook: string;
  /** The causal embeddings of the pictures of the rows, if they were asked for. */
  readonly features?: PictureFeatures;
}

/** A picture with this many kinds of objects, or more, is one with many. */
const MANY = 3;

/** Tokenizes scenes, once for each tokenizer; their codes are kept in the run folder. */
export async function sceneCodes(
  tokenizer: SeedTokenizer,
  { nouns, scenes, validation, questions }: DescribedData,
  root: string,
  work: Work = {},
  drawings = iconDrawings,
  features?: string,
): Promise<DescribedPictures> {
  const atlas = await drawings(work);
  const list = nouns === 0 ? [...nounTable().keys()] : everydayNouns(nouns);
  const size = tokenizer.config.vision.imageSize;
  const { codebookSize, codebookHash } = tokenizer;
  const asked = questions === "balanced" ? "balanced" : true;
  const sourceOf = (split: "train" | "validation"): SceneSource =>
    createSceneSource(atlas, { size, nouns: list, split, questions: asked });
  const rows = async (split: "train" | "validation", count: number): Promise<DescribedCodes[]> => {
    const source = sourceOf(split);
    const what = `coding ${split} pictures`;
    return codeShards({
      folder: join(root, "codes", hashOf("codes-2", codebookHash, split, String(size), source.nouns.join(), questions)),
      count,
      codebookSize,
      make: (start, size) => {
        let done = start;
        const encode: SeedTokenizer["encode"] = (images, options) => {
          work.signal?.throwIfAborted();
          work.onProgress?.(what, done, count, "pictures");
          done += images.length;
          return tokenizer.encode(images, options);
        };
        return describedScenes(encode, source, start, size);
      },
      onProgress: (done) => work.onProgress?.(what, done, count, "pictures"),
    });
  };
  const train = await rows("train", scenes);
  return {
    train,
    validation: await rows("validation", validation),
    // Nothing reads the pixels, so the pictures are small.
    many: () => manyObjects(createSceneSource(atlas, { size: 8, nouns: list, split: "train" }), train.length),
    identity: `scenes ${scenes} ${list.length} ${questions}`,
    codes: codebookSize,
    vectors: tokenizer.codebook,
    codebook: codebookHash,
    ...(features !== undefined && {
      features: await sceneFeatures(tokenizer, features, work, {
        train: { source: sourceOf("train"), count: scenes },
        validation: { source: sourceOf("validation"), count: validation },
      }),
    }),
  };
}

/** Which of the first scenes show three kinds of objects or more. */
export function manyObjects(source: SceneSource, count: number): number[] {
  const kinds = (i: number): number => new Set(source.scene(i).objects.map(({ noun }) => noun)).size;
  return Array.from({ length: count }, (_, i) => i).filter((i) => kinds(i) >= MANY);
}

/** Own pictures as codes with their captions, each once. */
export async function pictureCodes(
  tokenizer: SeedTokenizer,
  { train, validation }: TrainingData,
  work: Work = {},
): Promise<DescribedPictures> {
  const coded = async (pictures: Pictures, what: string): Promise<DescribedCodes[]> => {
    const count = atMost(pictures, MOST_OWN);
    if (count < (pictures.count ?? count))
      work.onNote?.(`the language model learns from ${count} of ${pictures.count} ${what} pictures`);
    const rows: DescribedCodes[] = [];
    for (const { start, size } of batches(count, CHUNK)) {
      work.signal?.throwIfAborted();
      work.onProgress?.(`coding ${what} pictures`, start, count, "pictures");
      const chunk = await take(pictures, start, size);
      const codes = await tokenizer.encode(chunk.map(({ image }) => image));
      rows.push(...chunk.map(({ caption }, i) => ({ codes: [...item(codes, i).codes], caption, questions: [] })));
    }
    return rows;
  };
  const { codebookSize, codebookHash } = tokenizer;
  return {
    train: await coded(train, "training"),
    validation: await coded(validation, "validation"),
    identity: hashOf(train.identity, validation.identity),
    codes: codebookSize,
    vectors: tokenizer.codebook,
    codebook: codebookHash,
  };
}

const CHUNK = 100;
/** Own pictures that are coded, at most: of an unbounded source only these. */
const MOST_OWN = 100_000;

/** One picture in twenty is held out, with all its captions and questions. */
function isHeldOut({ codes }: DescribedCodes): boolean {
  return hashText(codes.join(" ")) % 20 === 0;
}

/** Own codes with captions: the .jsonl files of a folder. All lines of one picture are either learned or held out. */
export async function ownCodes(tokenizer: SeedTokenizer, folder: string): Promise<DescribedPictures> {
  const { codebookSize, codebookHash } = tokenizer;
  const rows = await readCodeFolder(folder, codebookSize);
  return {
    ...splitByPicture(rows),
    identity: hashOf(JSON.stringify(rows)),
    codes: codebookSize,
    vectors: tokenizer.codebook,
    codebook: codebookHash,
  };
}

/** With too few pictures to hold any out, validation is on the training pictures. */
export function splitByPicture(rows: readonly DescribedCodes[]): Pick<DescribedPictures, "train" | "validation"> {
  const held = rows.filter(isHeldOut);
  const train = rows.filter((row) => !isHeldOut(row));
  if (held.length === 0 || train.length === 0) return { train: rows, validation: rows };
  return { train, validation: held };
}
