import { expect, test } from "vitest";
import { trainBpe } from "./bpe-training.ts";
import { LmTokenizer } from "./lm-tokenizer.ts";

const merges = (json: Record<string, unknown>): string[] =>
  (json["model"] as { merges: [string, string][] }).merges.map((pair) => pair.join("+"));

test("merges by hand: the most frequent pair first, then pairs with what came of it", () => {
  // "ab" 5 times, "abc" 3 of these; "bd" 2 times.
  const texts = ["abc", "abc", "abc", "ab", "ab", "bd", "bd"];
  const json = trainBpe(texts, { size: 256 + 1 + 3, special: ["<s>"] });
  expect(merges(json)).toEqual(["a+b", "ab+c", "b+d"]);
});

test("what never occurs twice is not a token, and the order of the texts does not matter", () => {
  const texts = ["the cat", "the hat", "a cat, a hat"];
  const all = merges(trainBpe(texts, { size: 1000, special: [] }));
  expect(all.length).toBeLessThan(20);
  expect(all).toContain("h+e");
  expect(merges(trainBpe(texts.toReversed(), { size: 1000, special: [] }))).toEqual(all);
});

test("every text comes back as it was, and frequent words are one token", () => {
  const texts = Array.from({ length: 20 }, () => "a red apple to the left of two blue cars");
  const tokenizer = new LmTokenizer(trainBpe(texts, { size: 400, special: ["<s>", "</s>"] }));
  for (const text of ["two red apples", "Käse & 東京 — ½\n\n  x", "I'll 'say' 1234!", " apple  apple "])
    expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
  expect(tokenizer.encode(" apple")).toHaveLength(1);
  expect(tokenizer.id("</s>")).toBe(1);
  expect(tokenizer.encode("<s>").length).toBeGreaterThan(1);
});

test("too small a vocabulary is refused", () => {
  expect(() => trainBpe([], { size: 257, special: ["a", "b"] })).toThrow("expected a size of at least 258, got 257");
});
