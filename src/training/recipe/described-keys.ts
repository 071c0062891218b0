/** Keys of the stages that learn from codes of pictures and their captions and questions. */
import { z } from "zod";
import { count, key } from "./training-keys.ts";

/** `data` of a stage that tunes a language model. */
export const describedData = key(
  z.strictObject({
    nouns: key(z.int().min(0), "built-in scenes: the first n everyday nouns, 0 for the full table of 572"),
    scenes: key(count, "built-in scenes whose codes are computed once", "count"),
    questions: key(
      z.enum(["all", "balanced"]).default("all"),
      "built-in scenes: which questions are asked; `balanced`: those with the same answer in most scenes less often, those about colors and absent objects more often",
    ),
    validation: key(
      count.default(200),
      "scenes, or conversations about your own codes, that measure the perplexity",
      "count",
    ),
  }),
  "pictures as codes, and their captions and questions",
);

export type DescribedData = z.output<typeof describedData>;
