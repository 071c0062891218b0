import fc from "fast-check";
import { expect, test } from "vitest";
import { CaptionTokenizer, splitWords, wordLevelTokenizer } from "./index.ts";

const json = wordLevelTokenizer(splitWords("a red apple, two t-shirts"));
const tokenizer = new CaptionTokenizer(json);
const id = (word: string): number => (json.model as { vocab: Record<string, number> }).vocab[word]!;

test("captions become [CLS] words [SEP] [PAD], unknown words [UNK], long captions are cut", () => {
  const { ids, mask, end } = tokenizer.encode(["A red zebra", "a a a a a a a"], 6);
  expect([...ids]).toEqual([2, id("a"), id("red"), 1, 3, 0, 2, id("a"), id("a"), id("a"), id("a"), 3]);
  expect([...mask]).toEqual([1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1]);
  expect([...end]).toEqual([4, 5]);
});

test("words are split as the vocabulary was made", () => {
  expect(tokenizer.length("two t-shirts, a apple")).toBe(2 + splitWords("two t-shirts, a apple").length);
  expect([...tokenizer.encode(["two t-shirts,"], 10).ids]).not.toContain(1);
});

test("words of every script stay whole, whatever marks they carry", () => {
  expect(splitWords("Un café crème, s'il vous plaît!")).toEqual([
    "un",
    "café",
    "crème",
    ",",
    "s",
    "'",
    "il",
    "vous",
    "plaît",
    "!",
  ]);
  expect(splitWords("naïve cafe\u0301 Ärger 猫が二匹 год_1 हिन्दी")).toEqual([
    "naïve",
    "cafe\u0301",
    "ärger",
    "猫が二匹",
    "год_1",
    "हिन्दी",
  ]);
  const french = new CaptionTokenizer(wordLevelTokenizer(splitWords("un café")));
  expect([...french.encode(["Un CAFÉ noir"], 5).ids]).toEqual([2, 5, 4, 1, 3]);
});

test("ASCII captions are split as they always were", () => {
  const printable = fc.string({
    unit: fc.constantFrom(...Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i))),
  });
  fc.assert(
    fc.property(printable, (text) => {
      expect(splitWords(text)).toEqual(text.toLowerCase().match(/\w+|[^\w\s]+/g) ?? []);
    }),
  );
});

test("special tokens in a caption are text", () => {
  expect([...tokenizer.encode(["[CLS]"], 6).ids]).toEqual([2, 1, 1, 1, 3, 0]);
});

test("another kind of tokenizer.json is refused in one line", () => {
  expect(() => new CaptionTokenizer({ model: { type: "BPE", vocab: {} } })).toThrow(
    "tokenizer.json: expected a WordLevel model, got BPE.",
  );
  expect(() => new CaptionTokenizer({ ...json, normalizer: null })).toThrow(
    "expected Lowercase as normalizer, got undefined",
  );
  expect(() => new CaptionTokenizer({ ...json, pre_tokenizer: { type: "Metaspace" } })).toThrow(
    'expected Whitespace as pre_tokenizer, got "Metaspace".',
  );
  const moved = structuredClone(json) as { model: { vocab: Record<string, number> } };
  moved.model.vocab["[CLS]"] = 9;
  expect(() => new CaptionTokenizer(moved)).toThrow("expected [CLS] as id 2, got 9");
});
