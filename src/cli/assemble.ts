/** `seedling assemble`: the finished stages of a run folder become a model folder. */
import { Command, Option } from "commander";
import { assemble } from "../training/assemble.ts";
import { whole } from "./options.ts";

export function assembleCommand(): Command {
  return new Command("assemble")
    .description("Make a model folder of the finished stages of a run")
    .argument("<folder>", "the model folder to write")
    .option("--run <folder>", "run folder of the chain", "runs/mini")
    .option("--recipe <file>", "any recipe of the chain; it names the sizes", "recipes/mini/clip.json")
    .addOption(new Option("--paints-from <head>", "which head paints").choices(["image", "text"]).default("image"))
    .addOption(new Option("--dtype <type>", "how weights are stored").choices(["F32", "F16"]).default("F16"))
    .option("--untrained <seed>", "random weights of this seed instead: the baseline of every score", whole(0))
    .action(
      async (
        out: string,
        options: {
          run: string;
          recipe: string;
          paintsFrom: "image" | "text";
          dtype: "F32" | "F16";
          untrained?: number;
        },
      ) => {
        const { run: root, recipe, paintsFrom, dtype, untrained } = options;
        await assemble({
          root,
          recipe,
          out,
          paintsFrom,
          dtype,
          ...(untrained === undefined ? {} : { untrainedSeed: untrained }),
        });
        process.stdout.write(`${out}\n`);
      },
    );
}
