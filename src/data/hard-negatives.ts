/**
 * Captions with exactly one change, which makes them false of the picture, and the scene that they would be true of: what
 * a contrastive loss needs so that order, positions, colors and counts matter (NegCLIP: Yuksekgonul et al. 2023,
 * arXiv 2210.01936).
 */

import { hashText, Rng } from "../base/rng.ts";
import { sayCaption } from "./captions.ts";
import { CHANGES, type Change, type NegativeKind } from "./negative-kinds.ts";
import { combinationOf, type Scene, type ScenePlan, type SceneSource } from "./scenes.ts";
import { absoluteSeed } from "./splits.ts";

export const NEGATIVE_KINDS = Object.keys(CHANGES) as NegativeKind[];

export interface HardNegative {
  readonly kind: NegativeKind;
  /** English that is false of the scene. */
  readonly caption: string;
  /**
   * Draws the scene that the caption is true of, and the original caption is not: the same layout otherwise. Absent where
   * it cannot be drawn, as when no sprite has the color.
   */
  readonly scene?: () => Scene;
}

/**
 * One negative of each kind that the caption of a scene allows (a caption that mentions no color has none of "color").
 * The same seed gives the same negatives, whichever kinds are asked for. Neither the captions nor the pictures hold a
 * combination that the split must not show: a model would learn that what it never saw is false.
 *
 * @param source the one that made the plan
 */
export function hardNegatives(
  source: SceneSource,
  plan: ScenePlan,
  kinds: readonly NegativeKind[] = NEGATIVE_KINDS,
): HardNegative[] {
  const found: HardNegative[] = [];
  for (const kind of kinds) {
    const rng = new Rng(hashText(`${absoluteSeed(source.split, plan.seed)}/negative/${kind}`));
    const change = CHANGES[kind](plan, source, rng);
    if (!change || !source.allows(change.said.named)) continue;
    found.push({ kind, caption: sayCaption(change.said), scene: sceneOf(source, plan, change) });
  }
  return found;
}

function sceneOf(source: SceneSource, plan: ScenePlan, { said, shown }: Change): (() => Scene) | undefined {
  if (!shown) return undefined;
  const changed = { ...plan, ...shown, said, questions: [] };
  return source.allows(combinationOf(changed.groups)) ? () => source.draw(changed) : undefined;
}

/** A scene, its true caption, and a caption with one change. */
export interface MinimalPair {
  readonly kind: NegativeKind;
  readonly scene: Scene;
  readonly wrong: string;
  /** The scene of which `wrong` is true and the caption of `scene` is not. */
  readonly wrongScene?: () => Scene;
}

export interface MinimalPairOptions {
  /** Pairs of each kind. Default 500. */
  perKind?: number;
  kinds?: readonly NegativeKind[];
  /** Seed of the first scene. Default 0. */
  first?: number;
  /** Most scenes that are examined: some kinds are rare or absent in some splits. Default 100 times `perKind`. */
  scenes?: number;
}

/** An evaluation set: pairs of every kind from consecutive seeds of a source of validation or test scenes. */
export function* minimalPairs(source: SceneSource, options: MinimalPairOptions = {}): Generator<MinimalPair> {
  const { perKind = 500, kinds = NEGATIVE_KINDS, first = 0 } = options;
  const { scenes = 100 * perKind } = options;
  const left = new Map(kinds.map((kind) => [kind, perKind]));
  for (let seed = first; seed < Math.min(first + scenes, source.seeds) && left.size > 0; seed++) {
    const plan = source.plan(seed);
    let scene: Scene | undefined;
    for (const { kind, caption, scene: wrongScene } of hardNegatives(source, plan, [...left.keys()])) {
      scene ??= source.draw(plan);
      yield { kind, scene, wrong: caption, wrongScene };
      const rest = (left.get(kind) ?? 1) - 1;
      if (rest > 0) left.set(kind, rest);
      else left.delete(kind);
    }
  }
}

export type { NegativeKind };
