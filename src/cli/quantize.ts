/** `seedling quantize`: a model folder with smaller weights. */
import { Command, Option } from "commander";
import { UsageError } from "../base/errors.ts";
import { reason } from "../base/one-line.ts";
import { quantizeFolder } from "../image-tokenizer/quantize.ts";
import { jsonOption, withExamples } from "./command.ts";
import { interruptible } from "./interrupt.ts";
import { writeJson, writeStdout } from "./output.ts";
import { whole } from "./parsers.ts";
import { expectFolderPlace } from "./places.ts";
import { Report } from "./report.ts";
import { formatBytes } from "./sizes.ts";
import { formatTable } from "./table.ts";

interface Options {
  readonly output: string;
  readonly bits: "4" | "8";
  readonly block?: number;
  readonly keep?: string;
  readonly lm?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

export function quantizeCommand(): Command {
  const command = new Command("quantize")
    .description("store the weights of linear layers in 8 or 4 bits; the folder opens like any other")
    .argument("<folder>", "a model folder with floats")
    .requiredOption("-o, --output <folder>", "the model folder to make")
    .addOption(new Option("--bits <n>", "bits of a weight").choices(["8", "4"]).default("8"))
    .option(
      "--block <n>",
      "weights that share a scale: 16, 32, 64, 128 or 256 (default: a row of the matrix)",
      whole(16, 256),
    )
    .option("--keep <pattern>", "leave tensors whose names match this regular expression as they are")
    .option("--lm", "quantize the language model of the folder, lm/, too; otherwise it is copied as it is")
    .addOption(jsonOption("what was done to every file"));
  return withExamples(
    command,
    [
      ["seedling quantize seed-2 -o seed-2-int8", "8 bits, a scale for each row"],
      ["seedling quantize seed-2 -o seed-2-int4 --bits 4 --block 32"],
    ],
    `Rows of 8 bits are multiplied as integers, several times faster than floats on CPUs with VNNI.
Blocks need the least memory: 8 bits lose next to nothing, 4 bits a little.`,
  ).action((folder: string, { output, ...options }: Options) =>
    interruptible(async (signal) => {
      const progress = new Report(options);
      await expectFolderPlace(output);
      const report = await quantizeFolder(folder, output, {
        bits: options.bits === "4" ? 4 : 8,
        block: options.block,
        keep: options.keep === undefined ? undefined : pattern(options.keep),
        languageModel: options.lm,
        onProgress: (done, total) => progress.progress("quantizing", done, total, "bytes"),
        signal,
      });
      progress.clear();
      if (options.json) return writeJson({ folder: output, ...report });
      const lines = formatTable([
        ["file", "matrices", "before", "after"],
        ...report.files.map(({ file, quantized, bytesBefore, bytesAfter }) => [
          file,
          quantized.length,
          formatBytes(bytesBefore),
          formatBytes(bytesAfter),
        ]),
      ]);
      if (report.copied.length > 0) lines.push(`carried along: ${report.copied.join(", ")}`);
      if (report.left.length > 0)
        lines.push(`left out, as they hold weights in another format: ${report.left.join(", ")}`);
      await writeStdout(`${lines.join("\n")}\n`);
      progress.wrote(
        output,
        report.files.reduce((sum, { bytesAfter }) => sum + bytesAfter, 0),
      );
    }),
  );
}

function pattern(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch (error) {
    throw new UsageError(`--keep: expected a regular expression (${reason(error)}).`);
  }
}
