/** `seedling assemble`: the finished stages of a run folder become a model folder. */
import { Command, Option } from "commander";
import { assemble } from "../training/chain/assemble.ts";
import { assembleLanguage } from "../training/chain/assemble-language.ts";
import { readRecipe } from "../training/index.ts";
import { dtypeOption, jsonOption, withExamples } from "./command.ts";
import { writeJson } from "./output.ts";
import { whole } from "./parsers.ts";
import { expectFolderPlace } from "./places.ts";
import { Report } from "./report.ts";

interface Options {
  readonly run: string;
  readonly recipe?: string;
  readonly head?: "image" | "text" | "draft";
  readonly dtype: "f32" | "f16";
  readonly untrained?: number;
  readonly adapter?: string;
  readonly base?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

export function assembleCommand(): Command {
  const command = new Command("assemble")
    .description("make a model folder of the finished stages of a run")
    .argument("<folder>", "the model folder to write")
    .option("--run <folder>", "run folder of the chain", "runs/mini")
    .option("--recipe <file>", "a recipe whose sizes the model has (default: those that the run folder holds)")
    .addOption(
      new Option(
        "--head <kind>",
        "what the image decoder reads: an image embedding, text features, or a draft of latents (default: what was trained)",
      ).choices(["image", "text", "draft"]),
    )
    .addOption(dtypeOption(["f32", "f16"]).default("f16"))
    .option("--adapter <folder>", "only put this tuned adapter and its base into a model folder that exists")
    .option("--base <folder>", "with --adapter: the base (default: the one that the adapter was tuned on)")
    .option("--untrained <seed>", "random weights of this seed instead, as a baseline for scores", whole(0))
    .addOption(jsonOption('{"folder":"models/mine"}'));
  return withExamples(command, [
    ["seedling assemble models/mine --run runs/mini", "what seedling train does at the end of a chain"],
    ["seedling assemble models/mine --adapter runs/mini/instruct/adapter"],
    ["seedling assemble out/untrained --untrained 1", "random weights, to compare with"],
  ]).action(async (out: string, options: Options) => {
    const { run: root, recipe, head, dtype, untrained, adapter, base, json } = options;
    await expectFolderPlace(out);
    const report = new Report(options);
    report.doing(`assembling ${out}`);
    const sizes = recipe === undefined ? undefined : (await readRecipe(recipe)).sizes;
    if (adapter) await assembleLanguage({ adapter, out, base });
    else await assemble({ root, sizes, out, head, dtype: dtype === "f32" ? "F32" : "F16", untrainedSeed: untrained });
    report.clear();
    if (json) await writeJson({ folder: out });
    report.wrote(out);
  });
}
