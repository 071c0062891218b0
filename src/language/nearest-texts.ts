/** Which of several texts says best what a picture shows, by the tokenizer's own embeddings of codes and captions. */
import type { Codes } from "../codes/index.ts";
import { argmax } from "../generation/index.ts";
import type { BatchOptions, SeedTokenizer } from "../seed-tokenizer.ts";
import { dot } from "../vectors.ts";

/** Of each picture's texts the one whose embedding is nearest to that of its codes; of equal ones the first. */
export async function nearestTexts(
  tokenizer: Pick<SeedTokenizer, "embedText" | "embedCodes">,
  pictures: readonly Codes[],
  texts: readonly (readonly string[])[],
  options: BatchOptions,
): Promise<string[]> {
  const different = [...new Set(texts.flat())];
  const embedded = await tokenizer.embedText(different, options);
  const vectors = new Map(different.map((text, i) => [text, embedded[i]!]));
  const seen = await tokenizer.embedCodes(pictures, options);
  return texts.map((some, i) => {
    const nearness = Float32Array.from(some, (text) => dot(vectors.get(text)!, seen[i]!));
    return some[argmax(nearness)]!;
  });
}
