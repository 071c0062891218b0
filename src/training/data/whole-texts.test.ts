import { expect, test } from "vitest";
import type { EncodedChat } from "../../text/index.ts";
import { wholeTexts } from "./whole-texts.ts";

const texts = [
  { given: [1, 2], said: [3, 4, 5] },
  { given: [], said: [6] },
  { given: [7], said: [8, 9] },
];
const options = { identity: "test", end: 0, seed: 1 };
const round = (options: Parameters<typeof wholeTexts>[1], from: number): EncodedChat[] =>
  [0, 1, 2].map((i) => wholeTexts(texts, options).get(from + i) as EncodedChat);

test("every text once in each round, with its end; what is given is not learned", () => {
  for (const from of [0, 3, 6]) {
    const all = round(options, from).toSorted((a, b) => a.ids[0]! - b.ids[0]!);
    expect(all).toEqual([
      { ids: [1, 2, 3, 4, 5, 0], learned: [false, false, true, true, true, true] },
      { ids: [6, 0], learned: [true, true] },
      { ids: [7, 8, 9, 0], learned: [false, true, true, true] },
    ]);
  }
  const orders = [0, 3, 6, 9, 12].map((from) => JSON.stringify(round(options, from)));
  expect(new Set(orders).size).toBeGreaterThan(1);
});

test("after the list of another text, for comparison", () => {
  const all = round({ ...options, wrongGiven: true }, 0).map(({ ids }) => ids.join(" "));
  expect(all.toSorted()).toEqual(["1 2 8 9 0", "3 4 5 0", "7 6 0"]);
});
