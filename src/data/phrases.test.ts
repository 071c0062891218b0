import { expect, test } from "vitest";
import { backgroundPhrase } from "./captions.ts";
import { everydayNouns, nounTable, TRAIN_STYLES } from "./nouns.ts";
import { article, isCountable, listPhrase, manyPhrase, onePhrase, takesColor, thePhrase } from "./phrases.ts";

test("a or an goes by the sound of the next word", () => {
  const words = ["apple", "hourglass", "unicorn", "orange cat", "umbrella", "ear of corn", "red apple", "X-ray"];
  expect(words.map(article)).toEqual(["an", "an", "a", "an", "an", "an", "a", "a"]);
});

test("count nouns have an article and a plural", () => {
  expect(onePhrase("apple")).toBe("an apple");
  expect(onePhrase("apple", { color: "red" })).toBe("a red apple");
  expect(onePhrase("cat", { color: "orange" })).toBe("an orange cat");
  expect(onePhrase("dog", { size: "small", color: "brown" })).toBe("a small brown dog");
  expect(manyPhrase("wolf", 2)).toBe("two wolves");
  expect(manyPhrase("mouse", 3, "gray")).toBe("three gray mice");
  expect(manyPhrase("cup of coffee", 4)).toBe("four cups of coffee");
});

test("things that come in pairs, bunches and loaves are counted by those", () => {
  expect(onePhrase("scissors", { color: "red" })).toBe("a pair of red scissors");
  expect(manyPhrase("scissors", 2)).toBe("two pairs of scissors");
  expect(manyPhrase("grapes", 3, "green")).toBe("three bunches of green grapes");
  expect(manyPhrase("bread", 2)).toBe("two loaves of bread");
  expect(manyPhrase("french fries", 2)).toBe("two boxes of french fries");
  expect(onePhrase("corn", { size: "small" })).toBe("a small ear of corn");
  expect(thePhrase("scissors")).toEqual({ subject: "the scissors", verb: "are" });
  expect(thePhrase("bread")).toEqual({ subject: "the bread", verb: "is" });
});

test("what has no unit is 'some' and is never counted", () => {
  expect(onePhrase("sushi")).toBe("some sushi");
  expect(onePhrase("sparkles", { size: "big", color: "yellow" })).toBe("some big yellow sparkles");
  expect(["sushi", "sparkles", "bread", "dog"].map(isCountable)).toEqual([false, false, true, true]);
});

test("contents do not take the color of the picture", () => {
  expect(["glass of milk", "bow and arrow", "t-shirt"].map(takesColor)).toEqual([false, false, true]);
});

test("lists and backgrounds read as English", () => {
  expect(listPhrase(["a dog", "a cat", "an ox"])).toBe("a dog, a cat and an ox");
  expect(backgroundPhrase({ from: "orange", to: "orange", direction: "down" })).toBe("on an orange background");
  expect(backgroundPhrase({ from: "red", to: "white", direction: "down" })).toBe(
    "on a background that fades from red to white",
  );
});

test("the table's grammar is whole: every noun can be said once, and twice if it can be counted", () => {
  for (const noun of nounTable().values()) {
    expect(["count", "plural", "mass"]).toContain(noun.kind);
    if (noun.kind === "count") expect(noun.plural, noun.noun).toBeTypeOf("string");
    expect(onePhrase(noun.noun)).toMatch(/^(an?|some) \S/);
    expect(manyPhrase(noun.noun, 2)).not.toMatch(/eses\b|undefined/);
  }
});

test("everyday nouns are distinct and drawn in every training style", () => {
  const nouns = everydayNouns();
  expect(nouns.length).toBeGreaterThanOrEqual(250);
  expect(new Set(nouns).size).toBe(nouns.length);
  for (const name of nouns) {
    const icons = nounTable().get(name)?.icons ?? [];
    const missing = TRAIN_STYLES.filter((style) => !icons.some((icon) => icon[style]));
    expect(missing, name).toEqual([]);
  }
  expect(everydayNouns(64)).toEqual(nouns.slice(0, 64));
  expect(() => everydayNouns(0)).toThrow(`everydayNouns: expected 1 to ${nouns.length} nouns, got 0. For more, use`);
});
