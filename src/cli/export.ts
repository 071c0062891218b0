/** `seedling export`: a model folder -> files as SEED was published. */
import { Command, Option } from "commander";
import { exportOfficial } from "../image-tokenizer/official/index.ts";
import { jsonOption, withExamples } from "./command.ts";
import { interruptible } from "./interrupt.ts";
import { writeJson, writeStdout } from "./output.ts";
import { expectFolderPlace } from "./places.ts";
import { Report } from "./report.ts";
import { formatTable } from "./table.ts";

interface Options {
  readonly output: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

export function exportCommand(): Command {
  const command = new Command("export")
    .description("write a model folder's SEED part under the published names, as PyTorch files")
    .argument("<folder>", "an imported model folder, or one that was trained here")
    .requiredOption("-o, --output <folder>", "the folder to make")
    .addOption(new Option("--format <name>", "layout of the files").choices(["official"]).default("official"))
    .addOption(jsonOption("the files, and what was left out"));
  return withExamples(command, [
    ["seedling export seed-2 --format official -o published", "seed_quantizer.pt and eva_vit_g.pth"],
  ]).action((folder: string, { output, ...options }: Options) =>
    interruptible(async (signal) => {
      const progress = new Report(options);
      await expectFolderPlace(output);
      const report = await exportOfficial(folder, output, {
        onProgress: (done, total) => progress.progress("exporting", done, total, "bytes"),
        signal,
      });
      progress.clear();
      if (options.json) return writeJson({ folder: output, ...report });
      const lines = [
        ...formatTable([["file", "tensors"], ...report.files.map(({ file, tensors }) => [file, tensors])]),
        ...(report.left.length > 0 ? [`left out ${report.left.length} tensors that the layout has no names for`] : []),
      ];
      await writeStdout(`${lines.join("\n")}\n`);
      progress.wrote(output);
    }),
  );
}
