/** `seedling disassemble`: a model folder becomes a run folder, for recipes that continue from it. */
import { Argument, Command } from "commander";
import { BUNDLED_MODEL } from "../image-tokenizer/seed-tokenizer.ts";
import { disassemble } from "../training/chain/disassemble.ts";
import { jsonOption, withExamples } from "./command.ts";
import { writeJson } from "./output.ts";
import { expectFolderPlace } from "./places.ts";
import { Report } from "./report.ts";

interface Options {
  readonly run: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

export function disassembleCommand(): Command {
  const command = new Command("disassemble")
    .description("take a model folder apart into a run folder, so that recipes can continue from its stages")
    .addArgument(new Argument("[folder]", "the model folder").default(BUNDLED_MODEL, "seedling-mini"))
    .requiredOption("--run <folder>", "the run folder to write, without a chain in it")
    .addOption(jsonOption('{"run":"runs/mine","stages":["clip",...]}'));
  return withExamples(
    command,
    [
      ["seedling disassemble --run runs/mine"],
      ["seedling train recipes/mini/codebook.json --run runs/mine --data photos/"],
      ["seedling assemble models/mine --run runs/mine"],
    ],
    "The examples train a new codebook for your own pictures on the first two stages of the shipped model.",
  ).action(async (folder: string, options: Options) => {
    const { run, json } = options;
    await expectFolderPlace(run);
    const report = new Report(options);
    report.doing(`taking ${folder} apart`);
    const stages = await disassemble(folder, run);
    report.clear();
    if (json) await writeJson({ run, stages });
    report.wrote(run, undefined, `stages ${stages.join(", ")}`);
  });
}
