/** Values of the published jar, and COCO's caption metrics on captions as people write them (test/fixtures/captions). */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { noWordNet, withWordNet } from "../../../test/word-net.ts";
import { bleu } from "./bleu.ts";
import { ciderD } from "./cider-d.ts";
import { meteor, meteorOfSums } from "./meteor.ts";
import { alignWords } from "./meteor-align.ts";
import { meteorWords } from "./meteor-words.ts";
import { ptbTokenize } from "./ptb-tokenizer.ts";
import { rougeL } from "./rouge-l.ts";
import { WordNetSynonyms } from "./wordnet-synonyms.ts";

const read = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../../test/fixtures/captions/${name}`, import.meta.url), "utf8"));
const expected = read("expected.json") as {
  readonly bleu: number[];
  readonly cider: number;
  readonly rougeL: number;
  readonly meteor: { readonly score: number; readonly each: number[] };
  readonly meteorWithParaphrases: { readonly score: number };
};
const captions = read("captions.json") as { readonly candidate: string; readonly references: string[] }[];
const pairs = captions.map(({ candidate, references }) => ({
  candidate: ptbTokenize(candidate),
  references: references.map(ptbTokenize),
}));
const synonyms = noWordNet ? { has: () => false } : await WordNetSynonyms.open();

test.skipIf(noWordNet)(`METEOR of each caption and of the corpus, with the first three stages, ${withWordNet}`, () => {
  const { score, each, sums } = meteor(pairs, synonyms);
  for (const [i, value] of expected.meteor.each.entries()) expect(each[i], pairs[i]?.candidate).toBeCloseTo(value, 10);
  expect(score).toBeCloseTo(expected.meteor.score, 10);
  expect(sums.map(meteorOfSums)).toEqual(each);
});

test.skipIf(noWordNet)(`what paraphrases would add is small, ${withWordNet}`, () => {
  expect(Math.abs(meteor(pairs, synonyms).score - expected.meteorWithParaphrases.score)).toBeLessThan(0.01);
});

test("COCO's metrics on raw captions, tokenized here", () => {
  for (const [n, value] of expected.bleu.entries()) expect(bleu(pairs).corpus[n]).toBeCloseTo(value, 10);
  expect(ciderD(pairs).score).toBeCloseTo(expected.cider, 10);
  expect(rougeL(pairs).score).toBeCloseTo(expected.rougeL, 10);
});

test("a worked example: one chunk of three exact matches", () => {
  // "the" is a function word: weights 0.25 and 0.75
  const { score } = meteor([{ candidate: "the red cat", references: ["the red cat sat"] }], { has: () => false });
  const [precision, recall] = [1, 1.75 / 2.5];
  const mean = 1 / (0.15 / precision + 0.85 / recall);
  expect(score).toBeCloseTo(mean * (1 - 0.6 * (1 / 3) ** 0.2), 12);
  expect(meteor([{ candidate: "a cat", references: ["a cat"] }], { has: () => false }).score).toBe(1);
  expect(meteor([{ candidate: "", references: ["a cat"] }], { has: () => false }).score).toBe(0);
});

test("as many matches as possible in as few chunks as possible", () => {
  const never = [() => false, () => false] as const;
  expect(alignWords(["a", "b", "a", "c"], ["a", "c"], never).matches.map((m) => m.candidate)).toEqual([2, 3]);
  expect(alignWords(["b", "a"], ["a", "b"], never).chunks).toBe(2);
});

test("words as METEOR compares them", () => {
  expect(meteorWords("a t-shirt is n't black/white at 10:30 a.m. etc.").join(" ")).toBe(
    "a t shirt is n 't black / white at 10 : 30 am etc .",
  );
});

test.skipIf(noWordNet)(`synonyms, inflected words too, ${withWordNet}`, () => {
  expect(synonyms.has("sofa", "couch")).toBe(true);
  expect(synonyms.has("sofas", "couch")).toBe(true);
  expect(synonyms.has("children", "kid")).toBe(true);
  expect(synonyms.has("sofa", "dog")).toBe(false);
});

test("a missing WordNet is named", async () => {
  await expect(WordNetSynonyms.open("/nowhere")).rejects.toThrow("Run: npm run texts");
});
