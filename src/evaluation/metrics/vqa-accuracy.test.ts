import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { gqaExactMatch, normalizeVqaAnswer, vqaAccuracy } from "./vqa-accuracy.ts";

const byMatches = (
  JSON.parse(readFileSync(new URL("../../../test/fixtures/metric-fixtures.json", import.meta.url), "utf8")) as {
    "vqa accuracy by number of matching answers of 10": Record<string, number>;
  }
)["vqa accuracy by number of matching answers of 10"];

test.each(Object.entries(byMatches))("%s of ten annotators agree: %f", (matches, accuracy) => {
  const annotations = Array.from({ length: 10 }, (_, i) => (i < Number(matches) ? "red" : `other ${i}`));
  expect(vqaAccuracy("red", annotations)).toBeCloseTo(accuracy, 12);
});

test.each([
  ["The two dogs.", "2 dogs"],
  ["none", "0"],
  ["dont know", "don't know"],
  ["yes, it is", "yes it is"],
  ["black/white", "black white"],
  ["1,000", "1000"],
  ["well-lit 1,000", "welllit 1000"],
  ["3.5", "3.5"],
  ["3. 5", "3 5"],
  ["at 5.", "at 5"],
  ["a\tcat\n", "cat"],
  ["I'm", "i'm"],
  ["Im", "im"],
  ["somebody'd", "somebodyd"],
  ["", ""],
])("%j becomes %j", (answer, normalized) => {
  expect(normalizeVqaAnswer(answer)).toBe(normalized);
});

test("answers are normalized only where annotators disagree", () => {
  const all = Array.from({ length: 10 }, () => "The Dog");
  expect(vqaAccuracy("dog", all)).toBe(0);
  expect(vqaAccuracy("The Dog", all)).toBe(1);
  expect(vqaAccuracy("dog", [...all.slice(1), "cat"])).toBe(1);
  expect(vqaAccuracy("dog", [])).toBe(0);
});

test("GQA's exact match", () => {
  expect(gqaExactMatch(" Yes. ", "yes")).toBe(true);
  expect(gqaExactMatch("yes it is", "yes")).toBe(false);
});
