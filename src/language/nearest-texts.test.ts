import { expect, test } from "vitest";
import type { Codes } from "../codes/index.ts";
import { nearestTexts } from "./nearest-texts.ts";

/** Texts are at their length, on a line; every picture at 1. */
const tokenizer = {
  embedText: async (texts: readonly string[]) => texts.map(({ length }) => Float32Array.of(length / 10)),
  embedCodes: async (pictures: readonly Codes[]) => pictures.map(() => Float32Array.of(1)),
};
const pictures: Codes[] = [new Array(32).fill(0), new Array(32).fill(1)];
const texts = [
  { aa: -2, bbb: -4, a: -8 },
  { c: -1, dd: -3, ee: -2 },
].map((some) => Object.entries(some).map(([text, logLikelihood]) => ({ text, logLikelihood })));

test("the nearest text of each picture, of equal ones the first", async () => {
  expect(await nearestTexts(tokenizer, pictures, texts, { likelihood: 0 })).toEqual(["bbb", "dd"]);
});

test("a likelier text is nearer", async () => {
  const chosen = (likelihood: number) => nearestTexts(tokenizer, pictures, texts, { likelihood });
  expect(await chosen(0.049)).toEqual(["bbb", "ee"]); // "bbb" is nearer by 0.1 and is less likely by 2 nats
  expect(await chosen(0.051)).toEqual(["aa", "ee"]);
  expect(await chosen(0.101)).toEqual(["aa", "c"]);
});
