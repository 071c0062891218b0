/** Keys of the stage that learns a language model from texts. */
import { z } from "zod";
import { count, key, share } from "./training-keys.ts";

/** Sizes of a model of the Llama family whose vocabulary is learned from the texts. */
export const languageModelSizes = key(
  z.strictObject({
    vocabulary: key(count, "tokens of the vocabulary, at most: it is learned from the texts"),
    width: key(count, "width of the residual stream"),
    layers: key(count, "blocks"),
    heads: key(count, "attention heads"),
    kvHeads: key(count, "heads of keys and values"),
    intermediate: key(count, "hidden width of the MLP"),
    context: key(count, "longest sequence, in tokens"),
  }),
  "sizes of the model",
);

export const textsData = key(
  z.strictObject({
    scenes: key(z.int().min(0), "scenes whose captions, questions and answers are texts", "count"),
    nouns: key(z.int().min(0), "the first n everyday nouns, 0 for the full table of 572"),
    factsTimes: key(count.default(1), "how often each fact about the nouns is among the texts"),
    wordNetShare: key(share.default(1), "share of the glosses of WordNet that are among the texts", "share"),
    listed: key(
      share.default(0),
      "share of scenes whose text follows a shuffled list of its words with other words among them",
    ),
    questions: key(
      z.enum(["all", "balanced"]).default("all"),
      "which questions are asked about scenes; `balanced` as in the stages that read codes",
    ),
    mostQuestions: key(z.int().min(0).optional(), "questions in the text of a scene; default all"),
    readLists: key(
      z.boolean().default(false),
      "lists are context only and not learned, and every text is a sequence of its own, so that none is separated from its list",
    ),
  }),
  "texts",
);

export type TextsData = z.output<typeof textsData>;
export type LanguageModelSizes = z.output<typeof languageModelSizes>;
