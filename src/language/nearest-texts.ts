/** Which of several texts describes an image best, by the tokenizer's own embeddings of codes and captions. */
import { dot } from "../base/vectors.ts";
import type { Codes } from "../codes/index.ts";
import type { BatchOptions, SeedTokenizer } from "../image-tokenizer/seed-tokenizer.ts";
import { argmax } from "./generation/index.ts";
import type { Reply } from "./options.ts";

export type LikelyText = Pick<Reply, "text" | "logLikelihood">;

/**
 * For each picture, the text with the highest score: the cosine of its embedding with that of the codes, plus `likelihood`
 * times the log likelihood that its language model gave it, in nats. The first of equal ones.
 */
export async function nearestTexts(
  tokenizer: Pick<SeedTokenizer, "embedText" | "embedCodes">,
  pictures: readonly Codes[],
  texts: readonly (readonly LikelyText[])[],
  { likelihood, ...options }: BatchOptions & { readonly likelihood: number },
): Promise<string[]> {
  const different = [...new Set(texts.flat().map(({ text }) => text))];
  const embedded = await tokenizer.embedText(different, options);
  const vectors = new Map(different.map((text, i) => [text, embedded[i]]));
  const seen = await tokenizer.embedCodes(pictures, options);
  return seen.map((picture, i) => {
    const some = texts[i] ?? [];
    const scores = some.map(({ text, logLikelihood = 0 }) => {
      const vector = vectors.get(text);
      return (vector ? dot(vector, picture) : 0) + likelihood * logLikelihood;
    });
    return some[argmax(Float32Array.from(scores))]?.text ?? "";
  });
}
