/** `seedling assemble`: the finished stages of a run folder become a model folder. */
import { Command, Option } from "commander";
import { assemble } from "../training/chain/assemble.ts";
import { assembleLanguage } from "../training/chain/assemble-language.ts";
import { readRecipe } from "../training/index.ts";
import { whole } from "./options.ts";

export function assembleCommand(): Command {
  return new Command("assemble")
    .description("Make a model folder of the finished stages of a run")
    .argument("<folder>", "the model folder to write")
    .option("--run <folder>", "run folder of the chain", "runs/mini")
    .option("--recipe <file>", "a recipe whose sizes the model has (default: those that the run folder holds)")
    .addOption(
      new Option("--head <kind>", "what the image decoder reads: an image embedding, or text features")
        .choices(["image", "text"])
        .default("image"),
    )
    .addOption(new Option("--dtype <type>", "how weights are stored").choices(["F32", "F16"]).default("F16"))
    .option(
      "--adapter <folder>",
      "put only this tuned adapter, with its base, into the model folder, which is there already",
    )
    .option("--base <folder>", "with --adapter: the base (default: the one the adapter was tuned on)")
    .option("--untrained <seed>", "random weights of this seed instead: the baseline of every score", whole(0))
    .action(
      async (
        out: string,
        options: {
          run: string;
          recipe?: string;
          head: "image" | "text";
          dtype: "F32" | "F16";
          untrained?: number;
          adapter?: string;
          base?: string;
        },
      ) => {
        const { run: root, recipe, head, dtype, untrained, adapter, base } = options;
        const sizes = recipe === undefined ? undefined : (await readRecipe(recipe)).sizes;
        if (adapter) await assembleLanguage({ adapter, out, base });
        else await assemble({ root, sizes, out, head, dtype, untrainedSeed: untrained });
        process.stdout.write(`${out}\n`);
      },
    );
}
