/** Stage `see`: a frozen language model learns to read the codes of a picture. Picture, prefix, caption. */
import { tuningRecipe, tuningStage } from "../language/tuning.ts";
import { defineStage } from "./definition.ts";

export const see = defineStage({
  name: "see",
  about: "A frozen language model learns what the codes of a picture say, by LoRA and new rows of its vocabulary.",
  paper: "image to text with a prefix (arXiv 2307.08041, section 3.3)",
  recipe: tuningRecipe,
  needs: [],
  uses: ["image tokenizer", "language model"],
  owns: [],
  build: (c) => tuningStage("see", c),
});
