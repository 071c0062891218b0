/** What is computed in Node and in a browser alike, by the same functions: both must come to the same numbers. */
import type { RgbImage } from "../../src/image/index.ts";
import type { SeedLanguageModel, SeedTokenizer } from "../../src/index.ts";
import { blocks } from "./blocks.ts";

const [PICTURES, SIDE] = [120, 64];

/** Codes of many pictures, given as pixels. */
export async function codesOfPixels(tokenizer: SeedTokenizer, count = PICTURES): Promise<number[][]> {
  const pictures = Array.from({ length: count }, (_, i) => blocks(i + 1, SIDE, SIDE));
  return (await tokenizer.encode(pictures, { batch: 16 })).map(({ codes }) => [...codes]);
}

/** Codes of picture files. */
export async function codesOfFiles(tokenizer: SeedTokenizer, files: readonly string[]): Promise<number[][]> {
  return (await tokenizer.encode(files, { batch: 4 })).map(({ codes }) => [...codes]);
}

/** One picture of a few steps. */
export async function pixelsOf(tokenizer: SeedTokenizer, codes: readonly number[]): Promise<number[]> {
  const [image] = (await tokenizer.decode([codes], { seed: 7, steps: 4 })) as [RgbImage];
  return [...image.data];
}

/** Codes that are drawn, and texts that are decoded greedily. */
export async function wordsOf(model: SeedLanguageModel, codes: readonly (readonly number[])[]) {
  const drawn: number[][] = [];
  for (const [i, prompt] of ["a red apple above a blue car", "two penguins"].entries())
    for (const one of await model.drawCodes(prompt, { seed: i })) drawn.push([...one.codes]);
  const images = codes.map((list) => ({ codes: list }));
  const described = await model.describe(images, { bestOf: 1 });
  const answer = await model.ask(images[0] ?? { codes: [] }, "what color is the background?");
  return { drawn, described, answer };
}
