/** English for scenes: articles, plurals, and counts of nouns that have no plural. */

import { type Noun, nounOf } from "./nouns.ts";

const NUMBERS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];

/** 3 -> "three". */
export const numberWord = (n: number): string => NUMBERS[n] ?? String(n);

/** "a" or "an" before `words`, by sound: "an hourglass", "a unicorn". */
export function article(words: string): "a" | "an" {
  if (/^(hour|honest|heir)/i.test(words)) return "an";
  return /^[aeiou]/i.test(words) && !/^(uni|use|eu|one\b|ukulele)/i.test(words) ? "an" : "a";
}

/** Whether a drawing's color is that of its noun: not where the noun names contents or a part ("glass of milk"). */
export const takesColor = (name: string): boolean => !/ (of|with|behind|and) /.test(name);

/** Whether "three ..." can be said of it: "three dogs", "three loaves of bread", but not three sparkles. */
export const isCountable = (name: string): boolean => {
  const noun = nounOf(name);
  return noun.kind === "count" || noun.unit !== undefined;
};

/** "a dog", "an orange cat", "a pair of red scissors", "some green broccoli", "a small loaf of bread". */
export function onePhrase(name: string, { color, size }: { color?: string; size?: string } = {}): string {
  const noun = nounOf(name);
  const colored = color ? `${color} ${name}` : name;
  if (noun.kind !== "count" && !noun.unit) return ["some", size, colored].filter(Boolean).join(" ");
  const whole = noun.kind === "count" ? colored : `${noun.unit} of ${colored}`;
  const words = size ? `${size} ${whole}` : whole;
  return `${article(words)} ${words}`;
}

/** "three dogs", "two pairs of red scissors", "four loaves of bread". */
export function manyPhrase(name: string, count: number, color?: string): string {
  return `${numberWord(count)} ${pluralWords(nounOf(name), color)}`;
}

/** "dogs", "pairs of scissors"; of something that cannot be counted, its name. */
export function pluralPhrase(name: string): string {
  return pluralWords(nounOf(name));
}

function pluralWords(noun: Noun, color?: string): string {
  const prefix = color ? `${color} ` : "";
  if (noun.kind === "count") return prefix + (noun.plural ?? `${noun.noun}s`);
  return noun.unit ? `${pluralUnit(noun.unit)} of ${prefix}${noun.noun}` : prefix + noun.noun;
}

/** "the dog is", "the scissors are", "the bread is". */
export function thePhrase(name: string): { subject: string; verb: "is" | "are" } {
  return { subject: `the ${name}`, verb: nounOf(name).kind === "plural" ? "are" : "is" };
}

function pluralUnit(unit: string): string {
  if (unit === "loaf") return "loaves";
  return /(x|s|ch|sh)$/.test(unit) ? `${unit}es` : `${unit}s`;
}

/** "an apple", "an apple and a dog", "an apple, a dog and a car". */
export function listPhrase(parts: readonly string[]): string {
  return parts.length < 2 ? parts.join("") : `${parts.slice(0, -1).join(", ")} and ${parts.at(-1)}`;
}
