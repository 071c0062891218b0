/** Stage `see-and-draw`: the model continues to see, and learns to write the codes of the picture that a caption asks for. */
import { tuningRecipe, tuningStage } from "../language/tuning.ts";
import { defineStage } from "./definition.ts";

export const seeAndDraw = defineStage({
  name: "see-and-draw",
  about: "It continues to see, and learns to write the codes of the picture that a caption asks for.",
  paper: "image to text and text to image jointly (arXiv 2307.08041, section 3.3)",
  recipe: tuningRecipe,
  needs: ["see"],
  continues: "see",
  uses: ["image tokenizer", "language model"],
  owns: [],
  build: (c) => tuningStage("see-and-draw", c),
});
