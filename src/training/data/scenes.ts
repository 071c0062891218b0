/** The built-in scenes as training data. */
import { UsageError } from "../../base/errors.ts";
import { hashText, Rng } from "../../base/rng.ts";
import { sayCaption } from "../../data/captions.ts";
import { type HardNegative, hardNegatives, minimalPairs, type NegativeKind } from "../../data/hard-negatives.ts";
import { everydayNouns, nounTable } from "../../data/nouns.ts";
import { createSceneSource, type Scene, type SceneOptions, type SceneSource } from "../../data/scenes.ts";
import { absoluteSeed } from "../../data/splits.ts";
import type { Work } from "../loop/loop.ts";
import { type Drawings, iconDrawings } from "./drawings.ts";
import type { CaptionPair, Picture, Pictures, TrainingData } from "./pictures.ts";

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
  /** Consecutive training pictures that only their objects tell apart, and the share of drawings that are redrawn. */
  readonly likeness?: number | undefined;
  readonly redrawn?: number | undefined;
  /** How often each kind of scene is drawn. */
  readonly kinds?: SceneOptions["kinds"] | undefined;
  /** Whether captions come with one that is changed, and the share of pictures that are followed by that one's picture. */
  readonly hardNegatives?: boolean | undefined;
  readonly changedPictures?: number | undefined;
}

type SceneVariety = Pick<SceneDataOptions, "likeness" | "redrawn" | "kinds" | "hardNegatives" | "changedPictures">;

/** Scenes by seed: the first `simple.count` from an easier source. */
export function scenePictures(
  source: SceneSource,
  simple?: { source: SceneSource; count: number },
  options: SceneVariety = {},
): Pictures {
  const { likeness = 1, redrawn = 0, kinds, hardNegatives = false, changedPictures = 0 } = options;
  const variety = [likeness, redrawn, kinds ?? null, hardNegatives, changedPictures];
  const usual = JSON.stringify(variety) === JSON.stringify([1, 0, null, false, 0]);
  const sceneOf = (index: number): [source: SceneSource, seed: number] => {
    const own = simple && index < simple.count ? simple.source : source;
    return [own, index % own.seeds];
  };
  return {
    identity: JSON.stringify([
      "scenes-2",
      source.split,
      source.size,
      source.nouns,
      simple?.count ?? 0,
      ...(usual ? [] : variety),
    ]),
    block: likeness,
    names: source.nouns,
    hardNegatives,
    caption(index) {
      const [own, seed] = sceneOf(index);
      const before = hardNegatives && seed % 2 === 1 ? changeToDraw(own, seed - 1, changedPictures) : undefined;
      return before ? before.caption : captionOf(own, seed);
    },
    get(index) {
      const [own, seed] = sceneOf(index);
      if (!hardNegatives) return toPicture(own.scene(seed));
      // The picture after one that is followed by that of its changed caption.
      if (seed % 2 === 1) {
        const changed = changedPicture(own, seed - 1, changedPictures);
        if (changed) return changed;
      }
      const plan = own.plan(seed);
      const changed = changeOf(own, seed)?.caption ?? otherCaption(own, seed);
      return { ...toPicture(own.draw(plan)), changed };
    },
  };
}

/** Weights by which changes are chosen: those that a small model is slow to learn more often. */
const CHANGE_WEIGHTS: Readonly<Record<NegativeKind, number>> = {
  sides: 4,
  "above-below": 4,
  position: 3,
  nouns: 3,
  fade: 4,
  size: 2,
  color: 2,
  count: 2,
  background: 1,
};

/** One change of the caption of a scene; undefined if it allows none. The same seed gives the same one. */
function changeOf(source: SceneSource, seed: number): HardNegative | undefined {
  const plan = source.plan(seed);
  const found = hardNegatives(source, plan);
  const rng = new Rng(hashText(`${absoluteSeed(source.split, plan.seed)}/change`));
  let rest = rng.next() * found.reduce((sum, { kind }) => sum + CHANGE_WEIGHTS[kind], 0);
  for (const change of found) {
    rest -= CHANGE_WEIGHTS[change.kind];
    if (rest < 0) return change;
  }
  return undefined;
}

/** The caption of the next scene that has another one, for a scene whose caption allows no change. */
function otherCaption(source: SceneSource, seed: number): string {
  const caption = captionOf(source, seed);
  for (let i = 1; i < source.seeds; i++) {
    const other = captionOf(source, (seed + i) % source.seeds);
    if (other !== caption) return other;
  }
  throw new UsageError(
    `scenes: expected captions that differ, got "${caption}" of every scene. Use more nouns or kinds.`,
  );
}

/** The picture of the changed caption of scene `seed`, for a share of scenes and where it can be drawn. */
function changedPicture(source: SceneSource, seed: number, share: number): Picture | undefined {
  const scene = changeToDraw(source, seed, share)?.scene?.();
  return scene && { ...toPicture(scene), changed: captionOf(source, seed) };
}

/** The change of scene `seed` whose picture follows it. */
function changeToDraw(source: SceneSource, seed: number, share: number): HardNegative | undefined {
  if (share === 0) return undefined;
  const chance = new Rng(hashText(`${absoluteSeed(source.split, seed)}/changed picture`)).next();
  if (chance >= share) return undefined;
  const change = changeOf(source, seed);
  return change?.scene && change;
}

/** Without drawing it. */
function captionOf(source: SceneSource, seed: number): string {
  return sayCaption(source.plan(seed).said);
}

function toPicture({ pixels, caption, size, objects, background }: Scene): Picture {
  const boxes = objects.map(({ noun: name, x, y, w, h }) => ({ name, x, y, w, h }));
  return { image: { width: size, height: size, data: pixels }, caption, objects: boxes, background };
}

export async function sceneData({
  nouns,
  size,
  pictures,
  warmupShare = 0,
  drawings = iconDrawings,
  likeness = 1,
  redrawn = 0,
  kinds,
  hardNegatives = false,
  changedPictures = 0,
  ...work
}: SceneDataOptions): Promise<TrainingData> {
  const atlas = await drawings(work);
  const list = nouns === 0 ? [...nounTable().keys()] : everydayNouns(nouns);
  const common = { size, nouns: list, questions: false } as const;
  const training = { ...common, split: "train", likeness, redrawn } as const;
  const train = createSceneSource(atlas, { ...training, kinds });
  const easy = createSceneSource(atlas, { ...training, kinds: { one: 3, count: 1 } });
  const validation = createSceneSource(atlas, { ...common, split: "validation" });
  const variety = { likeness, redrawn, kinds, hardNegatives, changedPictures };
  let pairs: { readonly perKind: number; readonly list: readonly CaptionPair[] } | undefined;
  return {
    train: scenePictures(train, { source: easy, count: Math.round(pictures * warmupShare) }, variety),
    validation: scenePictures(validation, undefined, { hardNegatives }),
    minimalPairs(perKind) {
      if (pairs?.perKind !== perKind) {
        const found = [...minimalPairs(validation, { perKind })];
        pairs = { perKind, list: found.map(({ kind, scene, wrong }) => ({ kind, picture: toPicture(scene), wrong })) };
      }
      return pairs.list;
    },
    *words() {
      // Every word of the full table, so that held-out nouns have a token although no training picture shows them.
      for (const [name, noun] of nounTable()) yield `${name} ${noun.plural ?? ""}`;
      const everything = createSceneSource(atlas, { size: 8, split: "train", questions: false });
      for (let seed = 0; seed < VOCABULARY_SCENES; seed++) yield captionOf(everything, seed);
    },
  };
}
