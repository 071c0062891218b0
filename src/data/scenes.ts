/**
 * Scenes: pictures of a few everyday objects with a caption and questions, made from a seed faster than they are used.
 * A seed gives a plan (what is shown, where, and what is said about it), and a plan is drawn.
 */

import { UsageError } from "../base/errors.ts";
import { item } from "../base/item.ts";
import { hashText, Rng } from "../base/rng.ts";
import { type Atlas, CELL, type Sprite } from "./atlas.ts";
import { type CaptionPlan, type Group, planCaption, type SceneFacts, sayCaption } from "./captions.ts";
import { BACKGROUND_NAMES, type ColorName } from "./colors.ts";
import { type Background, drawBackground, drawSprite, hiddenShare } from "./draw.ts";
import { type Combination, heldOutCombinations } from "./held-out.ts";
import { GROUPS, layOut, type Place, SCENE_KINDS, type SceneKind } from "./layout.ts";
import { type Style, TEST_STYLES, TRAIN_STYLES } from "./nouns.ts";
import { isCountable } from "./phrases.ts";
import { HABIT_SCENES, ofWhatIsThere, type QuestionHabits, questionHabits, thinQuestions } from "./question-habits.ts";
import { askAbout, type Question } from "./questions.ts";
import { redraw } from "./redraw.ts";
import { absoluteSeed, type Split, seedsOf } from "./splits.ts";
import { checkStyles, spritesByNoun } from "./sprite-pool.ts";

/** One object in the picture, in pixels; (x, y) is the top left corner of the box that holds its drawing. */
export interface SceneObject {
  readonly noun: string;
  readonly style: Style;
  /** The drawing's own color, named in the caption or not. */
  readonly color?: ColorName;
  /** How many of it the scene shows. */
  readonly count: number;
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}

export interface Scene {
  readonly seed: number;
  readonly size: number;
  /** RGB, u8 [size,size,3]. */
  readonly pixels: Uint8Array;
  readonly caption: string;
  readonly objects: readonly SceneObject[];
  readonly background: Background;
  readonly kind: SceneKind;
  readonly questions: readonly Question[];
}

/** Everything about a scene but its pixels. */
export interface ScenePlan extends SceneFacts {
  readonly seed: number;
  /** For each group, which of its copies are mirrored. */
  readonly flips: readonly (readonly boolean[])[];
  readonly said: CaptionPlan;
  readonly questions: readonly Question[];
}

export interface SceneOptions {
  split?: Split;
  /** Side of the picture in pixels. Default 64. */
  size?: number;
  /** Which nouns of the table; held-out concepts among them are left out (in their split, all others are). Default all. */
  nouns?: readonly string[];
  /** Default: the training styles; openmoji for the split held-out-style. */
  styles?: readonly Style[];
  /** How often each kind of scene is drawn, as weights. Default all kinds, pairs and counts most. */
  kinds?: Partial<Readonly<Record<SceneKind, number>>>;
  /** How often the caption mentions the background, 0 to 1. Default 0.5. */
  backgroundMention?: number;
  /** How often the caption mentions a drawing's own color, 0 to 1. Default 0.5. */
  colorMention?: number;
  /**
   * Whether questions are made. "balanced" asks less often what a habit would answer (`thinQuestions`), so that no kind is
   * right by habit in more than about half; it asks the color of every object, and for absent objects that are like those
   * present. Default true.
   */
  questions?: boolean | "balanced";
  /**
   * Added to every seed: `scene(0)` is the scene of this seed. Published scores come from offsets that were never used to
   * choose between models. Default 0.
   */
  offset?: number;
  /**
   * Consecutive seeds in blocks of this size share the kind of scene and, where it hides nothing, the background, and
   * differ in their first object: only what they show distinguishes them. Default 1: every scene is independent.
   */
  likeness?: number;
  /** How often a sprite is redrawn (turned, in other colors, with dark lines), 0 to 1. Default 0. */
  redrawn?: number;
}

export interface SceneSource {
  readonly split: Split;
  readonly size: number;
  /** `scene` and `plan` take 0 to this, exclusive; with an offset, plans and scenes carry their own seed. */
  readonly seeds: number;
  /** The nouns that its pictures show. */
  readonly nouns: readonly string[];
  /** The same seed gives the same bytes, on every machine. @throws UsageError if the seed is out of range. */
  scene(seed: number): Scene;
  /** `scene(seed)` is `draw(plan(seed))`. A plan may be changed before it is drawn. */
  plan(seed: number): ScenePlan;
  draw(plan: ScenePlan): Scene;
  /** The sprites that show a noun; empty if its pictures never do. */
  sprites(noun: string): readonly Sprite[];
  /** Whether the split may show these together: outside of held-out-pairs, no combination that training never shows. */
  allows(groups: readonly Combination[]): boolean;
}

const KINDS: Readonly<Record<SceneKind, number>> = { one: 2, pair: 3, count: 2, "count-and-one": 1, row: 1, grid: 1 };
/** A background that would hide more than this share of a sprite is drawn again. */
export const MAX_HIDDEN = 0.45;
const MAX_TRIES = 2000;

/**
 * @throws UsageError if the atlas has too few sprites for these nouns, styles and kinds, or if the split and the styles
 *   contradict each other.
 */
export function createSceneSource(atlas: Atlas, options: SceneOptions = {}): SceneSource {
  const { split = "train", size = 64, backgroundMention = 0.5, colorMention = 0.5, questions = true } = options;
  const { likeness = 1, redrawn = 0, offset = 0 } = options;
  const styles = new Set<Style>(options.styles ?? (split === "held-out-style" ? [TEST_STYLES[0]] : TRAIN_STYLES));
  checkStyles(split, styles);
  const isHeldOut = heldOutCombinations(atlas);
  const pool = spritesByNoun(atlas, split, styles, options.nouns);
  const nouns = [...pool.keys()];
  const countable = nouns.filter(isCountable);
  const drawKind = kindDrawer(options.kinds ?? KINDS, nouns.length, countable.length, `split ${split}`);
  if (!Number.isInteger(offset) || offset < 0 || offset >= seedsOf(split))
    throw new UsageError(
      `scenes: expected an offset from 0 to ${seedsOf(split) - 1} for split ${split}, got ${offset}.`,
    );
  const seeds = seedsOf(split) - offset;

  let habits: QuestionHabits | undefined;

  /** What a scene shows, before it is known where: as many groups as the kind has. */
  function drawGroups(kind: SceneKind, rng: Rng, first?: string): Group[] {
    const groups: Group[] = [];
    while (groups.length < GROUPS[kind]) {
      const many = groups.length === 0 && hasCount(kind);
      const from = many ? countable : nouns;
      const noun = groups.length === 0 && first ? first : rng.pick(from);
      if (groups.some((group) => group.sprite.noun === noun)) continue;
      const sprites = pool.get(noun) ?? [];
      const count = many ? 2 + rng.int(kind === "count" ? 3 : 2) : 1;
      const sprite = rng.pick(sprites);
      groups.push({ sprite: redrawn > 0 && rng.next() < redrawn ? redraw(sprite, rng) : sprite, count });
    }
    // The larger group of a mixed scene stands above or below with equal chance.
    return kind === "count-and-one" && rng.next() < 0.5 ? groups.reverse() : groups;
  }

  /** What the block of a seed has in common, and the first noun of this seed, which no other seed of the block gets. */
  function sharedBy(seed: number): { kind: SceneKind; background: Background; first: string } {
    const rng = new Rng(hashText(`${absoluteSeed(split, 0)}/block/${Math.floor(seed / likeness)}`));
    const kind = drawKind(rng);
    const background = drawBackgroundNames(rng);
    const order = [...(hasCount(kind) ? countable : nouns)];
    const place = (seed % likeness) % order.length;
    for (let i = 0; i <= place; i++) {
      const j = i + rng.int(order.length - i);
      [order[i], order[j]] = [item(order, j), item(order, i)];
    }
    return { kind, background, first: item(order, place) };
  }

  function plan(index: number): ScenePlan {
    if (!Number.isInteger(index) || index < 0 || index >= seeds) {
      throw new UsageError(`scene: expected a whole seed from 0 to ${seeds - 1} for split ${split}, got ${index}.`);
    }
    const seed = offset + index;
    const drawn = drawPlan(seed);
    if (questions !== "balanced") return drawn;
    habits ??= questionHabits(
      Array.from({ length: Math.min(HABIT_SCENES, seedsOf(split)) }, (_, i) => ofWhatIsThere(drawPlan(i))),
    );
    return { ...drawn, questions: thinQuestions(drawn.questions, habits, absoluteSeed(split, seed)) };
  }

  function drawPlan(seed: number): ScenePlan {
    const rng = new Rng(absoluteSeed(split, seed));
    const shared = likeness > 1 ? sharedBy(seed) : undefined;
    let kind: SceneKind;
    let groups: Group[];
    let tries = 0;
    do {
      if (tries++ === MAX_TRIES) {
        throw new UsageError(`scenes: no scene of split ${split} can be made of these nouns. Use more nouns or kinds.`);
      }
      kind = shared ? shared.kind : drawKind(rng);
      groups = drawGroups(kind, rng, tries === 1 ? shared?.first : undefined);
    } while (isHeldOut(combinationOf(groups)) !== (split === "held-out-pairs") && split !== "held-out-concepts");

    const background = drawnBackground(groups, rng, shared?.background);
    const layout = layOut(
      kind,
      groups.map((group) => group.count),
      rng,
    );
    const flips = layout.places.map((places) => places.map(() => rng.next() < 0.5));
    const facts = { kind, groups, layout, background };
    const said = planCaption(facts, { backgroundMention, colorMention }, rng);
    return {
      ...facts,
      seed,
      flips,
      said,
      questions: questions ? askAbout(facts, nouns, rng, questions === "balanced") : [],
    };
  }

  function draw({ seed, kind, groups, layout, background, flips, said, questions }: ScenePlan): Scene {
    const canvas = new Uint8ClampedArray(size * size * 3);
    drawBackground(canvas, size, background);
    const objects: SceneObject[] = [];
    for (const [i, { sprite, count }] of groups.entries()) {
      for (const [k, place] of item(layout.places, i).entries())
        objects.push({ ...drawObject(canvas, size, sprite, place, flips[i]?.[k] === true), count });
    }
    const pixels = new Uint8Array(canvas.buffer);
    return { seed, size, pixels, caption: sayCaption(said), objects, background, kind, questions };
  }

  return {
    split,
    size,
    seeds,
    nouns,
    plan,
    draw,
    scene: (seed) => draw(plan(seed)),
    sprites: (noun) => pool.get(noun) ?? [],
    allows: (groups) => split === "held-out-pairs" || split === "held-out-concepts" || !isHeldOut(groups),
  };
}

/** What the rules about held-out combinations read of groups. */
export const combinationOf = (groups: readonly Group[]): Combination[] =>
  groups.map(({ sprite: { noun, color }, count }) => ({ noun, color, count }));

function drawObject(
  canvas: Uint8ClampedArray,
  size: number,
  sprite: Sprite,
  place: Place,
  flip: boolean,
): Omit<SceneObject, "count"> {
  const side = Math.max(1, Math.round(place.side * size));
  const left = Math.round(place.x * size - side / 2);
  const top = Math.round(place.y * size - side / 2);
  drawSprite(canvas, size, sprite, { left, top, side, flip });
  const scale = side / CELL;
  const [bx, by, bw, bh] = sprite.box;
  const { noun, style, color } = sprite;
  const x = left + (flip ? CELL - bx - bw : bx) * scale;
  return { noun, style, color, x, y: top + by * scale, w: bw * scale, h: bh * scale };
}

const hasCount = (kind: SceneKind): boolean => kind === "count" || kind === "count-and-one";

/** Seven in ten are plain. */
function drawBackgroundNames(rng: Rng): Background {
  const from = rng.pick(BACKGROUND_NAMES);
  const to = rng.next() < 0.7 ? from : rng.pick(BACKGROUND_NAMES);
  return { from, to, direction: rng.next() < 0.5 ? "right" : "down" };
}

/** Drawn again while it would hide a sprite; after eight tries the best of them is taken. */
function drawnBackground(groups: readonly Group[], rng: Rng, first?: Background): Background {
  let best = { background: first ?? drawBackgroundNames(rng), hidden: Number.POSITIVE_INFINITY };
  for (let i = 0; i < 8; i++) {
    const background = i === 0 ? best.background : drawBackgroundNames(rng);
    const hidden = Math.max(...groups.map((group) => hiddenShare(group.sprite, background)));
    if (hidden < best.hidden) best = { background, hidden };
    if (hidden <= MAX_HIDDEN) break;
  }
  return best.background;
}

/** Draws kinds in proportion to their weights; kinds that need more nouns than there are drop out. */
function kindDrawer(
  weights: Partial<Readonly<Record<SceneKind, number>>>,
  nouns: number,
  countable: number,
  where: string,
): (rng: Rng) => SceneKind {
  const usable = SCENE_KINDS.filter((kind) => {
    return (weights[kind] ?? 0) > 0 && nouns >= GROUPS[kind] && (!hasCount(kind) || countable > 0);
  });
  if (usable.length === 0) {
    throw new UsageError(`scenes: ${where} has ${nouns} nouns, too few for any kind of scene. Add nouns or kinds.`);
  }
  const weightOf = (kind: SceneKind): number => weights[kind] ?? 0;
  const total = usable.reduce((sum, kind) => sum + weightOf(kind), 0);
  return (rng) => {
    let rest = rng.next() * total;
    for (const kind of usable) {
      rest -= weightOf(kind);
      if (rest < 0) return kind;
    }
    return item(usable, usable.length - 1);
  };
}
