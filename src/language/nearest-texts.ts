/** Which of several texts says best what a picture shows, by the tokenizer's own embeddings of codes and captions. */

import { dot } from "../base/vectors.ts";
import type { Codes } from "../codes/index.ts";
import type { BatchOptions, SeedTokenizer } from "../image-tokenizer/seed-tokenizer.ts";
import { argmax } from "./generation/index.ts";

export interface LikelyText {
  readonly text: string;
  /** In nats, by the language model that wrote it. */
  readonly logLikelihood: number;
}

/**
 * Of each picture's texts the one whose embedding is nearest to that of its codes, a nat of likelihood being as good as
 * `likelihood` of nearness; of equal ones the first.
 */
export async function nearestTexts(
  tokenizer: Pick<SeedTokenizer, "embedText" | "embedCodes">,
  pictures: readonly Codes[],
  texts: readonly (readonly LikelyText[])[],
  { likelihood, ...options }: BatchOptions & { readonly likelihood: number },
): Promise<string[]> {
  const different = [...new Set(texts.flat().map(({ text }) => text))];
  const embedded = await tokenizer.embedText(different, options);
  const vectors = new Map(different.map((text, i) => [text, embedded[i]!]));
  const seen = await tokenizer.embedCodes(pictures, options);
  return texts.map((some, i) => {
    const score = ({ text, logLikelihood }: LikelyText): number =>
      dot(vectors.get(text)!, seen[i]!) + likelihood * logLikelihood;
    return some[argmax(Float32Array.from(some, score))]!.text;
  });
}
