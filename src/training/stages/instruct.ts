/** Stage `instruct`: conversations with pictures inside; only what the model says is learned. */
import { tuningRecipe, tuningStage } from "../language/tuning.ts";
import { defineStage } from "./definition.ts";

export const instruct = defineStage({
  name: "instruct",
  about: "Descriptions, questions and answers, requests to draw, conversations with pictures inside.",
  paper: "instruction tuning (SEED-LLaMA, arXiv 2310.01218)",
  recipe: tuningRecipe,
  needs: ["see-and-draw"],
  continues: "see-and-draw",
  uses: ["image tokenizer", "language model"],
  owns: [],
  build: (c) => tuningStage("instruct", c),
});
