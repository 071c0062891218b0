/** `seedling disassemble`: a model folder becomes a run folder, for recipes that continue from it. */
import { Command } from "commander";
import { BUNDLED_MODEL } from "../image-tokenizer/seed-tokenizer.ts";
import { disassemble } from "../training/chain/disassemble.ts";

export function disassembleCommand(): Command {
  return new Command("disassemble")
    .description("Take a model folder apart into a run folder, so that recipes can continue from its stages")
    .argument("[folder]", "the model folder", BUNDLED_MODEL)
    .requiredOption("--run <folder>", "run folder to write, without a chain in it")
    .addHelpText(
      "after",
      `
A new codebook for your own pictures, on the first two stages of the shipped model:
  seedling disassemble --run runs/mine
  seedling train recipes/mini/codebook.json --run runs/mine --data photos/
  seedling assemble models/mine --run runs/mine`,
    )
    .action(async (folder: string, { run }: { run: string }) => {
      const stages = await disassemble(folder, run);
      process.stdout.write(`${run}: ${stages.join(", ")}\n`);
    });
}
