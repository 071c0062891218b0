/** `seedling quantize`: a model folder with smaller weights. */
import { Command, Option } from "commander";
import { UsageError } from "../base/errors.ts";
import { reason } from "../base/one-line.ts";
import { quantizeFolder } from "../image-tokenizer/quantize.ts";
import { interruptible } from "./interrupt.ts";
import { whole } from "./options.ts";
import { writeStdout } from "./output.ts";
import { Report } from "./report.ts";
import { formatBytes } from "./sizes.ts";

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
  return new Command("quantize")
    .description("store the weights of linear layers as whole numbers of 8 or 4 bits; the folder loads like any other")
    .argument("<folder>", "a model folder with floats")
    .requiredOption("-o, --output <folder>", "the model folder to make")
    .addOption(new Option("--bits <n>", "bits of a number").choices(["8", "4"]).default("8"))
    .option(
      "--block <n>",
      "numbers that share a scale: 16, 32, 64, 128 or 256 (default: a row of the matrix)",
      whole(16, 256),
    )
    .option("--keep <pattern>", "leave tensors whose names match this regular expression as they are")
    .option("--lm", "quantize the language model of the folder, lm/, too; otherwise it is carried along as it is")
    .option("--json", "what was done as one JSON object")
    .option("-q, --quiet", "no progress")
    .addHelpText(
      "after",
      `
Rows of 8 bits are multiplied in whole numbers, several times faster than floats on CPUs with VNNI.
Blocks need the least memory: 8 bits lose next to nothing, 4 bits a little.

Examples:
  seedling quantize seed-2 -o seed-2-int8
  seedling quantize seed-2 -o seed-2-int4 --bits 4 --block 32`,
    )
    .action((folder: string, { output, ...options }: Options) =>
      interruptible(async (signal) => {
        const progress = new Report(options);
        const report = await quantizeFolder(folder, output, {
          bits: options.bits === "4" ? 4 : 8,
          block: options.block,
          keep: options.keep === undefined ? undefined : pattern(options.keep),
          languageModel: options.lm,
          onProgress: (done, total) => progress.progress("quantizing", done, total, "bytes"),
          signal,
        });
        progress.clear();
        const lines = report.files.map(
          ({ file, quantized, bytesBefore, bytesAfter }) =>
            `${output}/${file}: ${quantized.length} matrices, ${formatBytes(bytesBefore)} -> ${formatBytes(bytesAfter)}`,
        );
        if (report.copied.length > 0) lines.push(`carried along: ${report.copied.join(", ")}`);
        if (report.left.length > 0)
          lines.push(`left out, as they hold weights in another format: ${report.left.join(", ")}`);
        await writeStdout(`${options.json ? JSON.stringify({ folder: output, ...report }) : lines.join("\n")}\n`);
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
