import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { captionRanks, captionRetrieval, ranksBySimilarity, recallOfSums, recallRows } from "./caption-retrieval.ts";
import { unitRows } from "./retrieval.ts";

const {
  similarity,
  own,
  expect: expected,
} = (
  JSON.parse(readFileSync(new URL("../../../test/fixtures/metric-fixtures.json", import.meta.url), "utf8")) as {
    retrieval: {
      similarity: number[][];
      own: number[][];
      expect: { i2tRanks: number[]; t2iRanks: number[]; i2tR1: number; t2iR1: number; t2iR2: number };
    };
  }
).retrieval;
const owners = own.flatMap((texts, i) => texts.map(() => i));

test("ranks and recalls of the shared fixture", () => {
  const ranks = ranksBySimilarity(3, owners, (i, j) => similarity[i]![j]!);
  expect(ranks.images).toEqual(expected.i2tRanks);
  expect(ranks.texts).toEqual(expected.t2iRanks);
  const { imageToText, textToImage, mean } = captionRetrieval(ranks, owners);
  expect(imageToText.r1.mean).toBeCloseTo(expected.i2tR1, 10);
  expect(textToImage.r1.mean).toBeCloseTo(expected.t2iR1, 10);
  expect(mean.mean).toBeCloseTo((expected.i2tR1 + 100 + 100 + expected.t2iR1 + 100 + 100) / 6, 10);
  expect(mean.low).toBeLessThan(mean.mean);
});

test("a picture finds any of its captions; of equally near ones the later ranks first", () => {
  const scores = [
    [0.1, 0.9, 0.9],
    [0.9, 0.9, 0.2],
  ];
  const ranks = ranksBySimilarity(2, [0, 0, 1], (i, j) => scores[i]![j]!);
  expect(ranks.images).toEqual([1, 2]);
  expect(ranks.texts).toEqual([1, 1, 1]);
  const same = ranksBySimilarity(3, [0, 1, 2], () => 1);
  expect(same).toMatchObject({ images: [2, 1, 0], texts: [2, 1, 0] });
});

test("vectors, with as many captions as each picture has; recall of their sums", async () => {
  const images = unitRows(Float32Array.of(1, 0, 0, 1), 2);
  const texts = unitRows(Float32Array.of(1, 0.1, 0.2, 1, 0.1, 1), 2);
  const seen: number[] = [];
  const ranks = await captionRanks(images, texts, [0, 0, 1], { onProgress: (done) => seen.push(done) });
  expect(ranks).toMatchObject({ images: [0, 0], texts: [0, 1, 0] });
  expect(seen).toEqual([2]);
  const rows = recallRows(ranks, [0, 0, 1]);
  expect(rows).toEqual([
    [1, 1, 1, 1, 2, 1, 2, 2],
    [1, 1, 1, 1, 1, 1, 1, 1],
  ]);
  expect(recallOfSums(3)(rows[0]!)).toBe(50);
});

test("every picture has a caption and every caption a picture", () => {
  expect(() => ranksBySimilarity(2, [0, 0], () => 0)).toThrow("captions of picture 1, got none");
  expect(() => ranksBySimilarity(1, [0, 4], () => 0)).toThrow("a picture of caption 1, got 4");
});
