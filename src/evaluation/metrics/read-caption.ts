/** Captions parsed into objects, counts, colors and relations, to compare a model's free text with what a scene shows. */
import { item } from "../../base/item.ts";
import { BACKGROUND_NAMES } from "../../data/colors.ts";
import { nounOf } from "../../data/nouns.ts";
import { numberWord, pluralPhrase } from "../../data/phrases.ts";
import type { Scene, SceneObject } from "../../data/scenes.ts";

export interface SaidObject {
  readonly noun: string;
  readonly count: number;
  readonly color?: string;
}

/** Where the first object is relative to the second. */
export type Relation = "left" | "right" | "above" | "below";

export interface SaidScene {
  readonly objects: readonly SaidObject[];
  /** Between the first two objects, if the caption states it. */
  readonly relation?: Relation;
}

const RELATIONS: readonly (readonly [RegExp, Relation])[] = [
  [/\bleft of\b/, "left"],
  [/\bright of\b/, "right"],
  [/\b(above|over)\b/, "above"],
  [/\b(below|under)\b/, "below"],
];
const COUNTS = new Map(Array.from({ length: 8 }, (_, i) => [numberWord(i + 2), i + 2] as const));
const COLORS = new Set<string>(BACKGROUND_NAMES);

/** Reads captions that use these nouns. */
export class CaptionReader {
  readonly #forms: ReadonlyMap<string, string>;
  readonly #longest: number;

  constructor(nouns: readonly string[]) {
    const forms = new Map<string, string>();
    for (const noun of nouns)
      for (const form of [noun, nounOf(noun).plural ?? noun, pluralPhrase(noun)]) forms.set(form, noun);
    this.#forms = forms;
    this.#longest = Math.max(...[...forms.keys()].map((form) => form.split(" ").length));
  }

  read(caption: string): SaidScene {
    const words = withoutBackground(caption.toLowerCase())
      .replace(/[.,!?]/g, " ")
      .split(/\s+/)
      .filter(Boolean);
    const objects: SaidObject[] = [];
    const gaps: string[] = [];
    let before: string[] = [];
    for (let at = 0; at < words.length; ) {
      const found = this.#match(words, at);
      if (!found) {
        before.push(item(words, at++));
        continue;
      }
      const color = before.findLast((word) => COLORS.has(word));
      const many = before.map((word) => COUNTS.get(word)).findLast((n) => n !== undefined);
      objects.push({ noun: found.noun, count: many ?? 1, color });
      gaps.push(before.join(" "));
      before = [];
      at += found.length;
    }
    const relation = objects.length === 2 ? RELATIONS.find(([words]) => words.test(item(gaps, 1)))?.[1] : undefined;
    return { objects, relation };
  }

  /** The longest name that begins at a word. */
  #match(words: readonly string[], at: number): { noun: string; length: number } | undefined {
    for (let length = Math.min(this.#longest, words.length - at); length > 0; length--) {
      const noun = this.#forms.get(words.slice(at, at + length).join(" "));
      if (noun) return { noun, length };
    }
    return undefined;
  }
}

function withoutBackground(caption: string): string {
  return caption.replace(/\s*\bon an? (\S+ )?background( that fades from \S+ to \S+)?/, "");
}

export interface CaptionScores {
  /** Of the names of objects, over all captions; an object named a second time is one that is not there. */
  readonly objectF1: number;
  /** Percent, of the objects that were named right. */
  readonly countAccuracy: number;
  /** Percent, of the colors that were said of objects named right. */
  readonly colorAccuracy: number;
  /** Percent, of the relations that were said between two objects named right. */
  readonly relationAccuracy: number;
  /** Percent of captions in which every object is named, none is added, and nothing said is wrong. */
  readonly exactly: number;
}

/** @param said what a model said of each of the scenes */
export function captionScores(
  said: readonly string[],
  scenes: readonly Pick<Scene, "objects">[],
  nouns: readonly string[],
): CaptionScores {
  const reader = new CaptionReader(nouns);
  const tally = { right: 0, named: 0, shown: 0, counts: 0, colors: 0, colorRight: 0, relations: 0, relationRight: 0 };
  let exactly = 0;
  for (const [i, { objects }] of scenes.entries()) {
    const { objects: named, relation } = reader.read(item(said, i));
    const shown = new Map(objects.map((object) => [object.noun, object]));
    const names = new Set(named.map(({ noun }) => noun));
    let faults = names.size === shown.size && named.length === names.size ? 0 : 1;
    tally.named += named.length;
    tally.shown += shown.size;
    const left = new Map(shown);
    for (const { noun, count, color } of named) {
      const object = left.get(noun);
      if (!object) {
        faults++;
        continue;
      }
      left.delete(noun);
      tally.right++;
      if (count === object.count) tally.counts++;
      else faults++;
      if (!color) continue;
      tally.colors++;
      if (color === object.color) tally.colorRight++;
      else faults++;
    }
    const [a, b] = named.map(({ noun }) => noun);
    if (relation && a && b && shown.has(a) && shown.has(b) && a !== b) {
      tally.relations++;
      if (stands(objects, a, b, relation)) tally.relationRight++;
      else faults++;
    }
    if (faults === 0) exactly++;
  }
  const percent = (part: number, whole: number): number => (100 * part) / Math.max(whole, 1);
  return {
    objectF1: (2 * tally.right) / Math.max(tally.named + tally.shown, 1),
    countAccuracy: percent(tally.counts, tally.right),
    colorAccuracy: percent(tally.colorRight, tally.colors),
    relationAccuracy: percent(tally.relationRight, tally.relations),
    exactly: percent(exactly, scenes.length),
  };
}

/** By the mean positions of both, along the axis of the relation. */
function stands(objects: readonly SceneObject[], a: string, b: string, relation: Relation): boolean {
  const center = (noun: string): [number, number] => {
    const own = objects.filter((object) => object.noun === noun);
    const mean = (of: (object: SceneObject) => number): number => own.reduce((s, o) => s + of(o), 0) / own.length;
    return [mean(({ x, w }) => x + w / 2), mean(({ y, h }) => y + h / 2)];
  };
  const [[ax, ay], [bx, by]] = [center(a), center(b)];
  return { left: ax < bx, right: ax > bx, above: ay < by, below: ay > by }[relation];
}

/** For each caption, twice the objects named right, and the objects named and shown: F1 is the ratio of their sums. */
export function objectRows(
  said: readonly string[],
  scenes: readonly Pick<Scene, "objects">[],
  nouns: readonly string[],
): number[][] {
  const reader = new CaptionReader(nouns);
  return scenes.map(({ objects }, i) => {
    const named = reader.read(said[i] ?? "").objects.map(({ noun }) => noun);
    const shown = new Set(objects.map(({ noun }) => noun));
    const right = [...shown].filter((noun) => named.includes(noun)).length;
    return [2 * right, named.length + shown.size];
  });
}
