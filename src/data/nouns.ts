/** The nouns that scenes are made of, and the icon that each drawing style has for them. */

import { readFileSync } from "node:fs";
import { SetupError, UsageError } from "../base/errors.ts";
import { quote } from "../base/one-line.ts";
import { EVERYDAY } from "./everyday.ts";

/** Styles whose art is free to train on (Apache, MIT, CC-BY). */
export const TRAIN_STYLES = [
  "noto",
  "noto-v1",
  "twemoji",
  "fluent-emoji-flat",
  "fluent-3d",
  "emojione",
  "fxemoji",
] as const;
/** Never in a training picture: models are validated on this style while they train. */
export const VALIDATION_STYLE = "streamline-emojis";
/** Never in a training picture: openmoji is the headline test; emojione-v1 is a cousin of emojione. */
export const TEST_STYLES = ["openmoji", "emojione-v1"] as const;
export const STYLES = [...TRAIN_STYLES, VALIDATION_STYLE, ...TEST_STYLES] as const;
export type Style = (typeof STYLES)[number];

/** One emoji of a noun: its name (or file) in each style that draws it. */
export type Icon = { readonly emoji: string; readonly label: string } & { readonly [style in Style]?: string };

export interface Noun {
  readonly noun: string;
  /** count: "a dog"; plural: "a pair of scissors", "some sparkles"; mass: "a loaf of bread", "some sushi". */
  readonly kind: "count" | "plural" | "mass";
  /** Of a count noun: "dogs". */
  readonly plural?: string;
  /** What a plural or mass noun is counted by: "pair", "loaf". Without one it is "some ..." and is never counted. */
  readonly unit?: string;
  /** Unicode's group and subgroup: "animals-nature", "animal-mammal". */
  readonly group: string;
  readonly subgroup: string;
  readonly icons: readonly Icon[];
}

let table: ReadonlyMap<string, Noun> | undefined;

/** All nouns by name. The table (`data/nouns.json`) is read once. */
export function nounTable(): ReadonlyMap<string, Noun> {
  if (!table) {
    const url = new URL("../../data/nouns.json", import.meta.url);
    let nouns: Noun[];
    try {
      nouns = JSON.parse(readFileSync(url, "utf8"));
    } catch (cause) {
      throw new SetupError("data/nouns.json: the noun table is missing or damaged. Install the package again.", {
        cause,
      });
    }
    table = new Map(nouns.map((noun) => [noun.noun, noun]));
  }
  return table;
}

/** One noun. @throws UsageError if the table has no such noun. */
export function nounOf(name: string): Noun {
  const noun = nounTable().get(name);
  if (!noun) throw new UsageError(`nouns: expected a noun of data/nouns.json, got ${quote(name)}. Check the spelling.`);
  return noun;
}

/**
 * The first `n` of the everyday nouns: unmistakable objects that look different, each drawn in all training styles.
 * @throws UsageError if `n` is not 1 to the length of the list.
 */
export function everydayNouns(n: number = EVERYDAY.length): string[] {
  if (!Number.isInteger(n) || n < 1 || n > EVERYDAY.length) {
    throw new UsageError(`everydayNouns: expected 1 to ${EVERYDAY.length} nouns, got ${n}. For more, use nounTable().`);
  }
  return EVERYDAY.slice(0, n);
}
