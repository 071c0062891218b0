/**
 * VQA accuracy with the answer normalization of the official evaluation, quirks included: a number of annotators out of
 * ten who gave the same answer, at most three of whom count, averaged over leaving each annotator out. Antol et al. 2015.
 */
import { CONTRACTIONS } from "./vqa-contractions.ts";

const NUMBERS: Readonly<Record<string, string>> = {
  none: "0",
  zero: "0",
  one: "1",
  two: "2",
  three: "3",
  four: "4",
  five: "5",
  six: "6",
  seven: "7",
  eight: "8",
  nine: "9",
  ten: "10",
};
const ARTICLES = new Set(["a", "an", "the"]);
const PUNCTUATION = [...';/[]"{}()=+\\_-><@`,?!'];
/** The official code passes a flag of value 32 where a number of replacements is expected. */
const MOST_PERIODS = 32;

/**
 * Punctuation becomes a space, or nothing if it stands next to a space anywhere, or if the answer has a comma between
 * digits; periods go unless a digit follows; number words become digits; articles go; contractions get their apostrophe.
 */
export function normalizeVqaAnswer(answer: string): string {
  const given = answer.replace(/[\n\t]/g, " ").trim();
  let text = given;
  const numeric = /\d,\d/.test(given);
  for (const mark of PUNCTUATION) {
    const loose = numeric || given.includes(`${mark} `) || given.includes(` ${mark}`);
    text = text.replaceAll(mark, loose ? "" : " ");
  }
  let periods = 0;
  text = text.replace(/\.(?!\d)/g, (period) => (++periods > MOST_PERIODS ? period : ""));
  return text
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== "")
    .map((word) => NUMBERS[word] ?? word)
    .filter((word) => !ARTICLES.has(word))
    .map((word) => CONTRACTIONS.get(word) ?? word)
    .join(" ");
}

/**
 * Accuracy of one answer, 0..1. Answers are normalized only if the annotators disagree, as in the official evaluation.
 * @param annotations what the annotators answered, ten in VQAv2
 */
export function vqaAccuracy(answer: string, annotations: readonly string[]): number {
  const plain = (text: string): string => text.replace(/[\n\t]/g, " ").trim();
  const given = annotations.map(plain);
  const agree = new Set(given).size <= 1;
  const normalize = agree ? plain : normalizeVqaAnswer;
  const said = normalize(answer);
  const matches = given.map(normalize).filter((other) => other === said).length;
  const without = (own: number): number => Math.min(1, (matches - own) / 3);
  const { length } = annotations;
  return length === 0 ? 0 : (matches * without(1) + (length - matches) * without(0)) / length;
}

/** Exact match as GQA counts it: lower case, without a final period and surrounding spaces. */
export function gqaExactMatch(answer: string, expected: string): boolean {
  const clean = (text: string): string => text.trim().toLowerCase().replace(/\.$/, "").trim();
  return clean(answer) === clean(expected);
}
