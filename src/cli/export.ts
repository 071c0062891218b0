/** `seedling export`: a model folder -> files as SEED was published. */
import { Command, Option } from "commander";
import { exportOfficial } from "../image-tokenizer/official/index.ts";
import { interruptible } from "./interrupt.ts";
import { writeStdout } from "./output.ts";
import { Report } from "./report.ts";

interface Options {
  readonly output: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

export function exportCommand(): Command {
  return new Command("export")
    .description("write a model folder's SEED part under the published names, as PyTorch files")
    .argument("<folder>", "an imported model folder, or one that was trained here")
    .requiredOption("-o, --output <folder>", "the folder to make")
    .addOption(new Option("--format <name>", "layout of the files").choices(["official"]).default("official"))
    .option("--json", "what was written as one JSON object")
    .option("-q, --quiet", "no progress")
    .addHelpText(
      "after",
      `
Examples:
  seedling export seed-2 --format official -o published   seed_quantizer.pt and eva_vit_g.pth`,
    )
    .action((folder: string, { output, ...options }: Options) =>
      interruptible(async (signal) => {
        const progress = new Report(options);
        const report = await exportOfficial(folder, output, {
          onProgress: (done, total) => progress.progress("exporting", done, total, "bytes"),
          signal,
        });
        progress.clear();
        const lines = [
          ...report.files.map(({ file, tensors }) => `${output}/${file}: ${tensors} tensors`),
          ...(report.left.length > 0
            ? [`left out ${report.left.length} tensors that the layout has no place for`]
            : []),
        ];
        const text = options.json ? JSON.stringify({ folder: output, ...report }) : lines.join("\n");
        await writeStdout(`${text}\n`);
      }),
    );
}
