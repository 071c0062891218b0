/** `seedling disassemble`: a model folder becomes the run folder of a chain, for recipes that go on from it. */
import { Command } from "commander";
import { BUNDLED_MODEL } from "../seed-tokenizer.ts";
import { disassemble } from "../training/disassemble.ts";

export function disassembleCommand(): Command {
  return new Command("disassemble")
    .description("Take a model folder apart into a run folder, so that recipes can go on from its stages")
    .argument("[folder]", "the model folder", BUNDLED_MODEL)
    .requiredOption("--run <folder>", "run folder to write, without a chain in it")
    .addHelpText(
      "after",
      `
A later stage on your own pictures, with the shipped model's first two:
  seedling disassemble --run runs/mine
  rm -r runs/mine/codebook
  seedling train recipes/mini/codebook-first.json --run runs/mine --data photos/`,
    )
    .action(async (folder: string, { run }: { run: string }) => {
      const stages = await disassemble(folder, run);
      process.stdout.write(`${run}: ${stages.join(", ")}\n`);
    });
}
