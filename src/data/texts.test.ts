import { expect, test } from "vitest";
import { glossOf, isHeldOutText, nounFacts, wordNetTexts } from "./texts.ts";

test("a line of WordNet as words and gloss", () => {
  const line =
    '00003553 03 n 02 whole 0 unit_of_it 0 015 @ 00002684 n 0000 | an assemblage of parts; "the team is a unit"  ';
  expect(glossOf(line)).toBe("whole, unit of it: an assemblage of parts; the team is a unit");
  expect(glossOf("00001740 00 a 01 able(p) 0 000 | having the means  ")).toBe("able: having the means");
  expect(glossOf("  1 This software and database")).toBeUndefined();
  expect(glossOf("")).toBeUndefined();
});

test("facts are English and the same every time", () => {
  const facts = nounFacts();
  expect(facts).toContain("a dog is an animal.");
  expect(facts).toContain("what is an apple? a fruit.");
  expect(facts.filter((fact) => /\ba [aeio]|undefined/.test(fact.replace(/a one|a uni/g, "")))).toEqual([]);
  expect(nounFacts()).toEqual(facts);
});

test("one text in fifty is held out", () => {
  const held = Array.from({ length: 5000 }, (_, i) => `text ${i}`).filter(isHeldOutText).length;
  expect(held).toBeGreaterThan(60);
  expect(held).toBeLessThan(150);
});

test("WordNet that is not installed is one line", async () => {
  await expect(wordNetTexts("nowhere")).rejects.toThrow(
    /data.noun: expected WordNet, found nothing. Run: npm run texts$/,
  );
});
