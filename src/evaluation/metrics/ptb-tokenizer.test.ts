/** Tokens made with the published tokenizer (test/fixtures/captions). */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { ptbTokenize, ptbTokens } from "./ptb-tokenizer.ts";

const read = (name: string): string =>
  readFileSync(new URL(`../../../test/fixtures/captions/${name}`, import.meta.url), "utf8");
const lines = read("lines.txt").trimEnd().split("\n");
const { tokens } = JSON.parse(read("expected.json")) as { tokens: string[] };

test.each(lines.map((line, i) => [line, tokens[i]]))("%s", (line, expected) => {
  expect(ptbTokenize(line ?? "")).toBe(expected);
});

test("punctuation is a token first, then goes; brackets stay, as in COCO's evaluation", () => {
  expect(ptbTokens('A dog (brown) can\'t "sit"!')).toEqual(
    ["a", "dog", "-lrb-", "brown", "-rrb-", "ca", "n't", "``", "sit", "''", "!"], //
  );
  expect(ptbTokenize('A dog (brown) can\'t "sit"!')).toBe("a dog -lrb- brown -rrb- ca n't sit");
});

test("nothing, spaces and marks only", () => {
  expect(ptbTokenize("")).toBe("");
  expect(ptbTokenize(" \t ... , - ")).toBe("");
});
