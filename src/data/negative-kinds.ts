/** The kinds of change that make a hard negative of a caption; each returns undefined where the caption does not allow it. */

import { item } from "../base/item.ts";
import type { Rng } from "../base/rng.ts";
import type { Sprite } from "./atlas.ts";
import {
  BIG_SIDE,
  type CaptionPlan,
  type Group,
  type Named,
  OPPOSITE,
  positionPhrase,
  type Relation,
  type SizeWord,
  SMALL_SIDE,
} from "./captions.ts";
import { BACKGROUND_NAMES, COLOR_NAMES, type ColorName, colorShare } from "./colors.ts";
import { type Background, hiddenShare } from "./draw.ts";
import { firstPlace, type Layout, layOut, type Place } from "./layout.ts";
import { isCountable, takesColor } from "./phrases.ts";
import { MAX_HIDDEN, type ScenePlan, type SceneSource } from "./scenes.ts";

export interface Change {
  readonly said: CaptionPlan;
  /** What of the scene changes with the caption; undefined if that cannot be drawn. */
  readonly shown?: Partial<Pick<ScenePlan, "groups" | "layout" | "background" | "flips">>;
}

type Changer = (plan: ScenePlan, source: SceneSource, rng: Rng) => Change | undefined;

export type NegativeKind =
  | "sides"
  | "above-below"
  | "position"
  | "nouns"
  | "color"
  | "count"
  | "size"
  | "fade"
  | "background";

export const CHANGES: Readonly<Record<NegativeKind, Changer>> = {
  /** "to the left of" for "to the right of". */
  sides: (plan) => exchangeRelation(plan, ["to the left of", "to the right of"], "x"),
  /** "above" for "below", "over" for "under". */
  "above-below": (plan) => exchangeRelation(plan, ["above", "below", "over", "under"], "y"),
  /** "at the bottom left" for "at the top left". */
  position: exchangePosition,
  /** Two nouns change places; colors, sizes and counts stay where they are said. */
  nouns: exchangeNouns,
  /** Another color of one object. */
  color: changeColor,
  /** Another number of one object, two to four. */
  count: changeCount,
  /** "big" for "small"; both if both are said. */
  size: exchangeSizes,
  /** "fades from blue to red" for "fades from red to blue". */
  fade: ({ said, background }) => {
    if (!said.background || background.from === background.to) return undefined;
    const turned = { ...background, from: background.to, to: background.from };
    return { said: { ...said, background: turned }, shown: { background: turned } };
  },
  /** Another color of the background, or of one end of a fade. */
  background: changeBackground,
};

const pick = <T>(items: readonly T[], rng: Rng): T | undefined => items[rng.int(items.length)];

/** `items` with the one at `index` replaced. */
const replaced = <T>(items: readonly T[], index: number, item: T): T[] =>
  items.map((own, i) => (i === index ? item : own));

function mirrored(layout: Layout, axis: "x" | "y"): Layout {
  const mirror = (place: Place): Place => ({ ...place, [axis]: 1 - place[axis] });
  return { ...layout, places: layout.places.map((places) => places.map(mirror)) };
}

function exchangeRelation({ said, layout }: ScenePlan, relations: Relation[], axis: "x" | "y"): Change | undefined {
  const { wording } = said;
  if (wording.form !== "relation" || wording.relation === "next to" || !relations.includes(wording.relation)) {
    return undefined;
  }
  const relation = OPPOSITE[wording.relation];
  return { said: { ...said, wording: { ...wording, relation } }, shown: { layout: mirrored(layout, axis) } };
}

const ACROSS: Readonly<Record<string, string>> = { left: "right", right: "left" };
const ALONG: Readonly<Record<string, string>> = { top: "bottom", bottom: "top" };

function exchangePosition({ said, layout }: ScenePlan, _: SceneSource, rng: Rng): Change | undefined {
  const { wording } = said;
  if (wording.form !== "alone" || !wording.where) return undefined;
  const words = wording.where.split(" ");
  const at = rng.pick(words.flatMap((word, i) => (word in ACROSS || word in ALONG ? [i] : [])));
  const word = item(words, at);
  const where = replaced(words, at, ACROSS[word] ?? ALONG[word] ?? word).join(" ");
  const shown = { layout: mirrored(layout, word in ACROSS ? "x" : "y") };
  return { said: { ...said, wording: { form: "alone", where } }, shown };
}

/** At most this share of a drawing has a color that is said of it falsely. */
const MAX_SHARE = 0.15;

/** Whether a drawing surely does not have a color: most of it has another one, and little of it this one. */
const hasNot = (sprite: Sprite, color: ColorName): boolean =>
  sprite.color !== undefined && sprite.color !== color && colorShare(sprite, color) <= MAX_SHARE;

function exchangeNouns({ said, groups, background }: ScenePlan, source: SceneSource, rng: Rng): Change | undefined {
  const { named, wording } = said;
  const pairs = wording.form === "alone" ? [] : exchangeable(said);
  const [i, j] = pick(pairs, rng) ?? [];
  if (i === undefined || j === undefined) return undefined;
  const [a, b] = [item(named, i), item(named, j)];
  const changed = replaced(replaced(named, i, { ...a, noun: b.noun }), j, { ...b, noun: a.noun });
  const sayable = [item(changed, i), item(changed, j)].every(
    ({ noun, count, color }) => (count === 1 || isCountable(noun)) && (!color || takesColor(noun)),
  );
  if (!sayable) return undefined;
  // Where no order is said ("next to", "in a row"), only what is said of each object can make it false.
  const ordered = wording.form === "between" || (wording.form === "relation" && wording.relation !== "next to");
  const lost = (own: Named, sprite: Sprite): boolean => own.color !== undefined && hasNot(sprite, own.color);
  const [groupA, groupB] = [item(groups, i), item(groups, j)];
  if (!ordered && !lost(a, groupB.sprite) && !lost(b, groupA.sprite) && a.size === b.size) return undefined;
  const words = { ...said, named: changed };
  // The first is now where the second was, and vice versa.
  const [atA, atB] = [spriteFor(a, groupB, source), spriteFor(b, groupA, source)];
  if (!atA || !atB || [atA, atB].some((sprite) => hiddenShare(sprite, background) > MAX_HIDDEN)) return { said: words };
  // The original caption has to be false of the new picture, too.
  if (!ordered && !lost(a, atB) && !lost(b, atA) && a.size === b.size) return { said: words };
  const first = replaced(groups, i, { sprite: atA, count: a.count });
  return { said: words, shown: { groups: replaced(first, j, { sprite: atB, count: b.count }) } };
}

/** Pairs of groups whose nouns can change places so that the meaning changes. */
function exchangeable({ named, wording }: CaptionPlan): (readonly [number, number])[] {
  switch (wording.form) {
    case "relation":
      return wording.subject.flatMap((i) => wording.object.map((j) => [i, j] as const));
    case "between":
      return [
        [0, 1],
        [1, 2],
      ];
    default:
      return named.flatMap((_, j) => named.slice(0, j).map((_, i) => [i, j] as const));
  }
}

/** The sprite of `other`, or one of its noun that has the color which is now said of it. */
function spriteFor({ color }: Named, { sprite }: Group, source: SceneSource): Sprite | undefined {
  if (!color || sprite.color === color) return sprite;
  const colored = source.sprites(sprite.noun).filter((own) => own.color === color);
  return colored.find(({ style }) => style === sprite.style) ?? colored[0];
}

function changeColor({ said, groups, background }: ScenePlan, source: SceneSource, rng: Rng): Change | undefined {
  const { named } = said;
  const index = pick(
    named.flatMap(({ color }, i) => (color ? [i] : [])),
    rng,
  );
  if (index === undefined) return undefined;
  const { sprite, count } = item(groups, index);
  const withColor = (color: ColorName): Named[] => replaced(named, index, { ...item(named, index), color });
  const possible = rng.shuffled(
    COLOR_NAMES.filter((color) => hasNot(sprite, color) && source.allows(withColor(color))),
  );
  // Colors that the noun is drawn in come first: the more plausible, the harder.
  for (const color of possible) {
    const other = rng
      .shuffled(source.sprites(sprite.noun))
      .find((own) => own.color === color && hiddenShare(own, background) <= MAX_HIDDEN);
    if (!other) continue;
    const shown = { groups: replaced(groups, index, { sprite: other, count }) };
    return { said: { ...said, named: withColor(color) }, shown };
  }
  return possible[0] && { said: { ...said, named: withColor(possible[0]) } };
}

function changeCount(
  { said, groups, kind, layout, flips }: ScenePlan,
  source: SceneSource,
  rng: Rng,
): Change | undefined {
  const { named } = said;
  const index = named.findIndex(({ count }) => count > 1);
  const own = named[index];
  const group = groups[index];
  if (!own || !group) return undefined;
  const counts = (kind === "count" ? [2, 3, 4] : [2, 3]).filter((count) => count !== own.count);
  const allowed = counts.filter((count) => source.allows(replaced(named, index, { ...own, count })));
  const count = pick(allowed, rng);
  if (count === undefined) return undefined;
  const laid = layOut(
    kind,
    groups.map((group, i) => (i === index ? count : group.count)),
    rng,
  );
  const copies = Array.from({ length: count }, (_, k) => flips[index]?.[k] ?? rng.next() < 0.5);
  return {
    said: { ...said, named: replaced(named, index, { ...own, count }) },
    shown: {
      groups: replaced(groups, index, { ...group, count }),
      layout: { ...layout, places: replaced(layout.places, index, item(laid.places, index)) },
      flips: replaced(flips, index, copies),
    },
  };
}

const OTHER_SIZE = { big: "small", small: "big" } as const satisfies Record<SizeWord, SizeWord>;

function exchangeSizes({ said, layout }: ScenePlan, _: SceneSource, rng: Rng): Change | undefined {
  if (said.named.every(({ size }) => size === undefined)) return undefined;
  const named = said.named.map((own): Named => ({ ...own, size: own.size && OTHER_SIZE[own.size] }));
  const first = firstPlace(layout);
  if (layout.places.length > 1)
    return { said: { ...said, named }, shown: { layout: sidesExchanged(layout, first, firstPlace(layout, 1)) } };
  const side = item(named, 0).size === "big" ? BIG_SIDE + 0.12 * rng.next() : SMALL_SIDE - 0.14 * rng.next();
  const inside = (center: number): number => Math.min(Math.max(center, side / 2), 1 - side / 2);
  const place = { x: inside(first.x), y: inside(first.y), side };
  const { wording } = said;
  const kept = wording.form !== "alone" || !wording.where || positionPhrase(place) === wording.where;
  return { said: { ...said, named }, shown: kept ? { layout: { ...layout, places: [[place]] } } : undefined };
}

/** Each of a pair gets the other's size; the gap between them stays where it is. */
function sidesExchanged(layout: Layout, first: Place, second: Place): Layout {
  const along = layout.axis === "right" ? "x" : "y";
  const shift = (second.side - first.side) / 2;
  return {
    ...layout,
    places: [
      [{ ...first, side: second.side, [along]: first[along] + shift }],
      [{ ...second, side: first.side, [along]: second[along] + shift }],
    ],
  };
}

function changeBackground({ said, groups, background }: ScenePlan, _: SceneSource, rng: Rng): Change | undefined {
  if (!said.background) return undefined;
  const { from, to } = background;
  const end = rng.next() < 0.5 ? "from" : "to";
  const others = rng
    .shuffled(BACKGROUND_NAMES.filter((name) => name !== from && name !== to))
    .map(
      (name): Background => (from === to ? { ...background, from: name, to: name } : { ...background, [end]: name }),
    );
  const visible = others.find((other) => groups.every(({ sprite }) => hiddenShare(sprite, other) <= MAX_HIDDEN));
  const chosen = visible ?? item(others, 0);
  return { said: { ...said, background: chosen }, shown: visible && { background: visible } };
}
