/** `seedling tokenize`: pictures -> 32 codes each. */
import { Command, Option } from "commander";
import { UsageError } from "../base/errors.ts";
import { formatCodes, formatCodesJson, packCodes } from "../codes/index.ts";
import type { ResizeFilter } from "../image/index.ts";
import { jsonOption, outputOption, withExamples } from "./command.ts";
import { interruptible } from "./interrupt.ts";
import { addModelOptions, type ModelOptions, withModel } from "./options.ts";
import { expectOutput, toStdout, withOutput } from "./output.ts";
import { whole } from "./parsers.ts";
import { findPictures, preparedBatches } from "./picture-inputs.ts";
import { plural, Report } from "./report.ts";

interface Options extends ModelOptions {
  readonly json?: boolean;
  readonly packed?: boolean;
  readonly output?: string;
  readonly batch: number;
  readonly filter: ResizeFilter;
}

export function tokenizeCommand(): Command {
  const command = new Command("tokenize")
    .description("turn pictures into 32 codes each, in causal order: the first carry the most")
    .argument("<pictures...>", "files, folders, globs, tar shards; - for standard input")
    .addOption(outputOption("where the codes go"))
    .addOption(jsonOption('{"image":"cat.png","codes":[...]}'))
    .option("--packed", "52 bytes a picture: 13 bits a code, no header")
    .option("--batch <n>", "pictures computed at a time", whole(1, 4096), 16)
    .addOption(
      new Option("--filter <name>", "how pictures are resized; SEED-LLaMA was trained on bilinear ones")
        .choices(["bicubic", "bilinear"])
        .default("bicubic"),
    );
  return withExamples(addModelOptions(command), [
    ["seedling tokenize cat.jpg", "32 numbers on one line"],
    ["seedling tokenize photos/ --json -o codes.jsonl", "a whole folder, with names"],
    ["seedling tokenize 'shards/*.tar' --packed -o codes.bin", "WebDataset shards, 52 bytes a picture"],
    ["seedling tokenize photos/ --model seed-2 --filter bilinear", "imported weights"],
    ["curl -s https://example.org/cat.jpg | seedling tokenize -", "from a pipe"],
  ]).action(tokenize);
}

async function tokenize(inputs: string[], options: Options): Promise<void> {
  const { json, packed, output, batch, filter } = options;
  if (json && packed) throw new UsageError("tokenize: expected --json or --packed, got both. Choose one.");
  const toTerminal = toStdout(output) && process.stdout.isTTY === true;
  if (packed && toTerminal)
    throw new UsageError("tokenize: packed codes are not text for a terminal. Name a file: -o.");
  const format = (image: string, codes: readonly number[]): string | Uint8Array => {
    if (packed) return packCodes([codes]);
    return `${json ? formatCodesJson({ image, codes }) : formatCodes(codes)}\n`;
  };
  await expectOutput(output);
  const report = new Report(options);
  let done = 0;
  const bytes = await interruptible(async (signal) => {
    const { total, files } = await findPictures(inputs, report, signal);
    return withModel(options, "encode", (tokenizer) =>
      withOutput(output, async (write) => {
        report.progress("tokenizing", 0, total, "pictures");
        for await (const pictures of preparedBatches(files, batch, { tokenizer, report, signal, filter })) {
          const images = pictures.map(({ image }) => image);
          const codes = (await tokenizer.encode(images, { batch, signal })).map((c) => Array.from(c.codes));
          if (toTerminal) report.clear();
          for (const [i, one] of codes.entries()) await write(format(pictures[i]!.name, one));
          done += pictures.length;
          if (!toTerminal) report.progress("tokenizing", done, total, "pictures");
        }
        report.finish(done);
      }),
    );
  });
  if (!toStdout(output)) report.wrote(output, bytes, `codes of ${plural(done, "picture")}`);
}
