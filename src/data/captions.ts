/** What a scene shows, in one line of English. */

import type { Rng } from "../base/rng.ts";
import type { Sprite } from "./atlas.ts";
import type { Background } from "./draw.ts";
import type { Layout, Place, SceneKind } from "./layout.ts";
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

/** One group differs clearly in size from another when their sides have at least this ratio. */
const CLEARLY = 1.4;

/** The mean place of a group. */
export function centerOf(places: readonly Place[]): Place {
  const mean = (of: (place: Place) => number) => places.reduce((sum, place) => sum + of(place), 0) / places.length;
  return { x: mean((p) => p.x), y: mean((p) => p.y), side: mean((p) => p.side) };
}

/** How many times larger the first of two groups is drawn than the second. */
export const sizeRatio = (layout: Layout): number => layout.places[0]![0]!.side / layout.places[1]![0]!.side;

export function captionOf(facts: SceneFacts, chances: CaptionChances, rng: Rng): string {
  const { kind, groups, layout, background } = facts;
  const sizes = sizeWords(facts, rng);
  const things = groups.map(({ sprite, count }, i) => {
    const named = takesColor(sprite.noun) && rng.next() < chances.colorMention ? sprite.color : undefined;
    if (count > 1) return manyPhrase(sprite.noun, count, named);
    return onePhrase(sprite.noun, { ...(named && { color: named }), ...(sizes[i] && { size: sizes[i] }) });
  });
  const said = arrange(kind, things, layout, rng);
  return rng.next() < chances.backgroundMention ? `${said} ${backgroundPhrase(background)}` : said;
}

function sizeWords({ kind, layout }: SceneFacts, rng: Rng): (string | undefined)[] {
  if (kind === "one") {
    const { side } = layout.places[0]![0]!;
    const word = side < 0.56 ? "small" : side > 0.82 ? "big" : undefined;
    return [rng.next() < 0.5 ? word : undefined];
  }
  if (kind !== "pair") return [];
  const ratio = sizeRatio(layout);
  if (ratio < CLEARLY && ratio > 1 / CLEARLY) return [];
  const words = ratio > 1 ? ["big", "small"] : ["small", "big"];
  // Either of the two or both are called what they are.
  const which = rng.int(4);
  return words.map((word, i) => (which === 3 || which === i ? word : undefined));
}

function arrange(kind: SceneKind, things: readonly string[], layout: Layout, rng: Rng): string {
  const [a, b, c, d] = things;
  const choose = (...options: string[]): string => options[rng.int(options.length)]!;
  switch (kind) {
    case "one": {
      const where = positionPhrase(layout.places[0]![0]!);
      return where && rng.next() < 0.5 ? `${a} ${where}` : a!;
    }
    case "count":
      return a!;
    case "pair":
    case "count-and-one": {
      const [forwards, backwards] =
        layout.axis === "right"
          ? [
              choose("to the left of", "to the left of", "next to"),
              choose("to the right of", "to the right of", "next to"),
            ]
          : [choose("above", "above", "over"), choose("below", "below", "under")];
      return rng.next() < 0.5 ? `${a} ${forwards} ${b}` : `${b} ${backwards} ${a}`;
    }
    case "row":
      return rng.next() < 0.5 ? `${listPhrase([a!, b!, c!])} in a row` : `${b} between ${a} and ${c}`;
    case "grid":
      return rng.next() < 0.5 ? `${a} and ${b} above ${c} and ${d}` : `${c} and ${d} below ${a} and ${b}`;
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
