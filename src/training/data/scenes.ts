/** The built-in scenes as training data. */
import { everydayNouns, nounTable } from "../../data/nouns.ts";
import { createSceneSource, type SceneSource } from "../../data/scenes.ts";
import type { Work } from "../loop/loop.ts";
import { type Drawings, iconDrawings } from "./drawings.ts";
import type { Picture, Pictures, TrainingData } from "./pictures.ts";

const VOCABULARY_SCENES = 20_000;

export interface SceneDataOptions extends Work {
  /** Default: the icon sets. */
  readonly drawings?: Drawings;
  /** The first n everyday nouns; 0 for the full table. */
  readonly nouns: number;
  /** Side of the pictures, px. */
  readonly size: number;
  /** Pictures that a run sees, and the share of them at its start that show one kind of object only. */
  readonly pictures: number;
  readonly warmupShare?: number | undefined;
  /** Training pictures in a row that only their objects tell apart, and how often a drawing is drawn anew. */
  readonly likeness?: number | undefined;
  readonly redrawn?: number | undefined;
}

/** Scenes by seed: the first `simple.count` from an easier source. */
export function scenePictures(
  source: SceneSource,
  simple?: { source: SceneSource; count: number },
  options: Pick<SceneDataOptions, "likeness" | "redrawn"> = {},
): Pictures {
  const { likeness = 1, redrawn = 0 } = options;
  return {
    identity: JSON.stringify([
      "scenes-1",
      source.split,
      source.size,
      source.nouns,
      simple?.count ?? 0,
      ...(likeness > 1 || redrawn > 0 ? [likeness, redrawn] : []),
    ]),
    block: likeness,
    names: source.nouns,
    get: (index) => toPicture(simple && index < simple.count ? simple.source : source, index),
  };
}

function toPicture(source: SceneSource, index: number): Picture {
  const { pixels, caption, size, objects } = source.scene(index % source.seeds);
  const boxes = objects.map(({ noun: name, x, y, w, h }) => ({ name, x, y, w, h }));
  return { image: { width: size, height: size, data: pixels }, caption, objects: boxes };
}

export async function sceneData({
  nouns,
  size,
  pictures,
  warmupShare = 0,
  likeness = 1,
  redrawn = 0,
  drawings = iconDrawings,
  ...work
}: SceneDataOptions): Promise<TrainingData> {
  const atlas = await drawings(work);
  const list = nouns === 0 ? [...nounTable().keys()] : everydayNouns(nouns);
  const common = { size, nouns: list, questions: false } as const;
  const training = { ...common, split: "train", likeness, redrawn } as const;
  const train = createSceneSource(atlas, training);
  const easy = createSceneSource(atlas, { ...training, kinds: { one: 3, count: 1 } });
  const validation = createSceneSource(atlas, { ...common, split: "validation" });
  return {
    train: scenePictures(train, { source: easy, count: Math.round(pictures * warmupShare) }, { likeness, redrawn }),
    validation: scenePictures(validation),
    *words() {
      // Every word of the full table, so that held-out nouns have a token although no training picture shows them.
      for (const [name, noun] of nounTable()) yield `${name} ${noun.plural ?? ""}`;
      const everything = createSceneSource(atlas, { size: 8, split: "train", questions: false });
      for (let seed = 0; seed < VOCABULARY_SCENES; seed++) yield everything.scene(seed).caption;
    },
  };
}
