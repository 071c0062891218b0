/** Keys of the stages in which a frozen language model learns to see and to draw. */
import { z } from "zod";
import { SEED_LORA } from "../../models/lora.ts";
import { describing } from "../../text/lm-manifest.ts";
import { describedData } from "./described-keys.ts";
import { count, key, share, trainingKeys } from "./training-keys.ts";

const lora = z.strictObject({
  rank: key(count.default(SEED_LORA.rank), "inner width of the low-rank matrices"),
  alpha: key(z.number().positive().default(SEED_LORA.alpha), "their product is scaled by alpha / rank"),
  dropout: key(
    z.number().min(0).max(0.9).default(SEED_LORA.dropout),
    "share of their inputs that is dropped in training",
  ),
});

export const tuningRecipe = z.strictObject({
  ...trainingKeys,
  base: key(z.string().default("lm-pretrain/model"), "the frozen model, in the run folder; `--base` names another"),
  template: key(
    z.enum(["seed", "chatml"]).default("seed"),
    "how turns are written: as SEED-LLaMA does, or as the model's own ChatML",
  ),
  lora: key(lora.prefault({}), "low-rank matrices at every projection"),
  length: key(count, "tokens of a sequence; a longer one loses its end"),
  data: describedData,
  inputs: key(
    z.enum(["codes", "features", "none"]).default("codes"),
    "what the model sees of a picture: its `codes`; the causal embeddings as they are, `features` through a linear layer, as BLIP-2 does; or, as a baseline, `none`; without codes it does not draw",
  ),
  codeWords: key(
    z.enum(["rows", "projection", "both"]).default("rows"),
    "how codes are embedded during training: new `rows` of its vocabulary (SEED-LLaMA), a `projection` of the codebook's vectors (SEED-OPT), or, ours, the sum of `both`; stored as rows",
  ),
  rowsStart: key(
    z.enum(["noise", "words"]).default("noise"),
    "how new rows are initialized: as noise, or, ours, from the words that occur with each code in the training captions, weighted as in naive Bayes",
  ),
  rowsRate: key(
    z.number().positive().default(1),
    "factor on the learning rate of new rows, each of which occurs rarely",
  ),
  kindMargin: key(
    z.number().min(0).default(0),
    "nats added in training to the logits of codes where the label is a word, and of words where it is a code, so that the model does not confuse the two",
  ),
  drawShare: key(share.default(0.5), "share of sequences in which the model draws; 0 in `see`"),
  describeShare: key(
    share.optional(),
    "`instruct`: share of conversations about a picture that begin with the request to describe it; default 0.5",
  ),
  questionShare: key(
    share.default(0),
    "`see` and `see-and-draw`, ours: share of sequences about a picture in which up to four questions and answers follow the caption, as in the texts of `lm-pretrain`",
  ),
  manyShare: key(
    share.default(0),
    "share of the sequences about pictures that are drawn from pictures with three kinds of objects or more; the others are drawn from all; built-in scenes only",
  ),
  textShare: key(
    share.default(0),
    "share of sequences that are plain text, glosses of WordNet, so that the model does not forget other subjects",
  ),
  describing: key(
    describing.optional(),
    "how the adapter describes pictures unless asked otherwise, written to its seedling.json; not used in training",
  ),
});

export type TuningRecipe = z.output<typeof tuningRecipe>;
