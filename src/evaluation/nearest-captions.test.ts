import { expect, test } from "vitest";
import { NearestCaptions } from "./nearest-captions.ts";

const VECTORS: Readonly<Record<string, number[]>> = { "a cat": [1, 0], "a dog": [0, 1], "a cat and a dog": [0.6, 0.8] };

test("each picture gets the caption nearest to its codes; equal captions are embedded once", async () => {
  const embedded: string[] = [];
  const tokenizer = {
    async embedText(captions: readonly string[]) {
      embedded.push(...captions);
      return captions.map((caption) => Float32Array.from(VECTORS[caption]!));
    },
    embedCodes: async (codes: readonly ArrayLike<number>[]) => codes.map((own) => Float32Array.from(own)),
  };
  const nearest = await NearestCaptions.of(tokenizer, [...Object.keys(VECTORS), "a cat"]);
  expect(embedded).toEqual(Object.keys(VECTORS));
  expect(
    await nearest.describe([
      [0.9, 0.1],
      [0.5, 0.5],
      [-1, 0.1],
    ]),
  ).toEqual(["a cat", "a cat and a dog", "a dog"]);
});
