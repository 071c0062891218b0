import { expect, test } from "vitest";
import { packedTexts } from "./packed-texts.ts";

const texts = [[1, 2, 3], [4], [5, 6], []];
const sequences = packedTexts(texts, { identity: "test", end: 0, length: 5 });

test("every text once in each round, whole and with its end, in another order each time", () => {
  expect(sequences.perEpoch).toBe(2);
  const round = (epoch: number): number[] =>
    [0, 1].flatMap((i) => (sequences.get(2 * epoch + i) as { ids: number[] }).ids);
  for (const epoch of [0, 1, 2]) {
    expect(round(epoch).toSorted()).toEqual([0, 0, 0, 0, 1, 2, 3, 4, 5, 6]);
    const back = `${round(epoch).join(" ")} `.split(/(?<=(?:^| )0 )/);
    expect(back.toSorted()).toEqual(["0 ", "1 2 3 0 ", "4 0 ", "5 6 0 "]);
  }
  expect(new Set([0, 1, 2, 3, 4].map((epoch) => round(epoch).join())).size).toBeGreaterThan(1);
  expect(round(1)).toEqual(round(1));
});

test("texts that do not fill one sequence are refused", () => {
  expect(() => packedTexts(texts, { identity: "test", end: 0, length: 11 })).toThrow(
    "packedTexts: expected at least 11 tokens, got 10.",
  );
});
