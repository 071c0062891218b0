/** What a scene shows, in one line of English: first what is said and how (a plan), then the words. */

import { item } from "../base/item.ts";
import type { Rng } from "../base/rng.ts";
import type { Sprite } from "./atlas.ts";
import type { ColorName } from "./colors.ts";
import type { Background } from "./draw.ts";
import { firstPlace, type Layout, type Place, type SceneKind } from "./layout.ts";
import { listPhrase, manyPhrase, onePhrase, takesColor } from "./phrases.ts";

/** Some copies of one drawing. */
export interface Group {
  readonly sprite: Sprite;
  readonly count: number;
}

/** Everything that can be said about a scene. */
export interface SceneFacts {
  readonly kind: SceneKind;
  readonly groups: readonly Group[];
  readonly layout: Layout;
  readonly background: Background;
}

export interface CaptionChances {
  readonly backgroundMention: number;
  readonly colorMention: number;
}

export type SizeWord = "big" | "small";

/** A group as the caption names it. */
export interface Named {
  readonly noun: string;
  readonly count: number;
  readonly color?: ColorName;
  readonly size?: SizeWord;
}

export const OPPOSITE = {
  "to the left of": "to the right of",
  "to the right of": "to the left of",
  above: "below",
  below: "above",
  over: "under",
  under: "over",
} as const;

export type Relation = keyof typeof OPPOSITE | "next to";

/** How the named groups are put together; numbers count groups. */
export type Wording =
  | { readonly form: "alone"; readonly where?: string }
  | {
      readonly form: "relation";
      readonly subject: readonly number[];
      readonly relation: Relation;
      readonly object: readonly number[];
    }
  /** All of them in a row. */
  | { readonly form: "row" }
  /** The second of three between the others. */
  | { readonly form: "between" };

export interface CaptionPlan {
  /** In the order of the scene's groups. */
  readonly named: readonly Named[];
  readonly wording: Wording;
  /** If it is mentioned. */
  readonly background?: Background;
}

/** One group differs clearly in size from another when their sides have at least this ratio. */
export const CLEARLY = 1.4;
/** A single object is called small below the first of these sides and big above the second, shares of the picture's side. */
export const SMALL_SIDE = 0.56;
export const BIG_SIDE = 0.82;

/** The mean center and side of a group. */
export function centerOf(places: readonly Place[]): Place {
  const mean = (of: (place: Place) => number) => places.reduce((sum, place) => sum + of(place), 0) / places.length;
  return { x: mean((p) => p.x), y: mean((p) => p.y), side: mean((p) => p.side) };
}

/** How many times larger the first of two groups is drawn than the second. */
export const sizeRatio = (layout: Layout): number => firstPlace(layout).side / firstPlace(layout, 1).side;

/** Chooses what is said of a scene, and how. */
export function planCaption(facts: SceneFacts, chances: CaptionChances, rng: Rng): CaptionPlan {
  const sizes = sizeWords(facts, rng);
  const named = facts.groups.map(({ sprite: { noun, color }, count }, i): Named => {
    const colored = takesColor(noun) && rng.next() < chances.colorMention;
    return { noun, count, color: colored ? color : undefined, size: sizes[i] };
  });
  const wording = chooseWording(facts.kind, facts.layout, rng);
  return { named, wording, background: rng.next() < chances.backgroundMention ? facts.background : undefined };
}

function sizeWords({ kind, layout }: SceneFacts, rng: Rng): (SizeWord | undefined)[] {
  if (kind === "one") {
    const { side } = firstPlace(layout);
    const word = side < SMALL_SIDE ? "small" : side > BIG_SIDE ? "big" : undefined;
    return [rng.next() < 0.5 ? word : undefined];
  }
  if (kind !== "pair") return [];
  const ratio = sizeRatio(layout);
  if (ratio < CLEARLY && ratio > 1 / CLEARLY) return [];
  const words: SizeWord[] = ratio > 1 ? ["big", "small"] : ["small", "big"];
  // The size of one of the two, of both or of neither is mentioned.
  const which = rng.int(4);
  return words.map((word, i) => (which === 3 || which === i ? word : undefined));
}

function chooseWording(kind: SceneKind, layout: Layout, rng: Rng): Wording {
  const choose = (...options: Relation[]): Relation => rng.pick(options);
  switch (kind) {
    case "one": {
      const where = positionPhrase(firstPlace(layout));
      return { form: "alone", where: where && rng.next() < 0.5 ? where : undefined };
    }
    case "count":
      return { form: "alone" };
    case "pair":
    case "count-and-one": {
      const [forwards, backwards] =
        layout.axis === "right"
          ? [
              choose("to the left of", "to the left of", "next to"),
              choose("to the right of", "to the right of", "next to"),
            ]
          : [choose("above", "above", "over"), choose("below", "below", "under")];
      return rng.next() < 0.5
        ? { form: "relation", subject: [0], relation: forwards, object: [1] }
        : { form: "relation", subject: [1], relation: backwards, object: [0] };
    }
    case "row":
      return { form: rng.next() < 0.5 ? "row" : "between" };
    case "grid":
      return rng.next() < 0.5
        ? { form: "relation", subject: [0, 1], relation: "above", object: [2, 3] }
        : { form: "relation", subject: [2, 3], relation: "below", object: [0, 1] };
  }
}

/** "a dog", "a small red dog", "three dogs". */
export const namePhrase = ({ noun, count, color, size }: Named): string =>
  count > 1 ? manyPhrase(noun, count, color) : onePhrase(noun, { color, size });

/** The words of a plan. */
export function sayCaption({ named, wording, background }: CaptionPlan): string {
  const phrases = named.map(namePhrase);
  const said = arrange(phrases, wording);
  return background ? `${said} ${backgroundPhrase(background)}` : said;
}

function arrange(phrases: readonly string[], wording: Wording): string {
  const [a = "", b, c] = phrases;
  const list = (indices: readonly number[]): string => listPhrase(indices.map((i) => item(phrases, i)));
  switch (wording.form) {
    case "alone":
      return wording.where ? `${a} ${wording.where}` : a;
    case "relation":
      return `${list(wording.subject)} ${wording.relation} ${list(wording.object)}`;
    case "row":
      return `${listPhrase(phrases)} in a row`;
    case "between":
      return `${b} between ${a} and ${c}`;
  }
}

/** "at the top left" of something clearly off the center; undefined in the middle. */
export function positionPhrase({ x, y }: Place): string | undefined {
  const across = x < 0.42 ? "left" : x > 0.58 ? "right" : "";
  const along = y < 0.42 ? "top" : y > 0.58 ? "bottom" : "";
  if (along) return `at the ${along} ${across}`.trim();
  return across ? `on the ${across}` : undefined;
}

/** "on a red background", "on a background that fades from red to blue". */
export function backgroundPhrase({ from, to }: Background): string {
  if (from === to) return `on ${onlyArticle(from)} ${from} background`;
  return `on a background that fades from ${from} to ${to}`;
}

const onlyArticle = (color: string): string => (color === "orange" ? "an" : "a");
