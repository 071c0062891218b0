/** `seedling tokenize`: pictures -> 32 codes each. */
import { Command, Option } from "commander";
import { UsageError } from "../base/errors.ts";
import { formatCodes, formatCodesJson, packCodes } from "../codes/index.ts";
import type { ResizeFilter } from "../image/index.ts";
import { interruptible } from "./interrupt.ts";
import { addModelOptions, type ModelOptions, whole, withEncoder } from "./options.ts";
import { withOutput } from "./output.ts";
import { findPictures, preparedBatches } from "./picture-inputs.ts";
import { Report } from "./report.ts";

interface Options extends ModelOptions {
  readonly json?: boolean;
  readonly packed?: boolean;
  readonly output?: string;
  readonly batch: number;
  readonly filter: ResizeFilter;
}

export function tokenizeCommand(): Command {
  const command = new Command("tokenize")
    .description("pictures -> 32 codes each, in causal order: the first say the most")
    .argument("<pictures...>", "files, folders, globs, tar shards; - for standard input")
    .option("-o, --output <file>", "where to write, whole or not at all (default: standard output)")
    .option("--json", 'one JSON object a line: {"image":"cat.png","codes":[...]}')
    .option("--packed", "52 bytes a picture: 13 bits a code, no header")
    .option("--batch <n>", "pictures computed at a time", whole(1, 4096), 16)
    .addOption(
      new Option("--filter <name>", "how pictures are squashed; SEED-LLaMA learned from bilinear ones")
        .choices(["bicubic", "bilinear"])
        .default("bicubic"),
    );
  return addModelOptions(command)
    .addHelpText(
      "after",
      `
Examples:
  seedling tokenize cat.jpg                         32 numbers on one line
  seedling tokenize photos/ --json -o codes.jsonl   a whole folder, with names
  seedling tokenize 'shards/*.tar' --packed -o codes.bin
  seedling tokenize photos/ --model seed-2 --filter bilinear    imported weights, as SEED-LLaMA was fed
  curl -s https://example.org/cat.jpg | seedling tokenize -`,
    )
    .action(tokenize);
}

async function tokenize(inputs: string[], options: Options): Promise<void> {
  const { json, packed, output, batch, filter } = options;
  if (json && packed) throw new UsageError("tokenize: expected --json or --packed, got both. Choose one.");
  const toTerminal = (output === undefined || output === "-") && process.stdout.isTTY === true;
  if (packed && toTerminal) throw new UsageError("tokenize: packed codes are no text for a terminal. Name a file: -o.");
  const format = (image: string, codes: readonly number[]): string | Uint8Array => {
    if (packed) return packCodes([codes]);
    return `${json ? formatCodesJson({ image, codes }) : formatCodes(codes)}\n`;
  };
  const report = new Report(options);
  await interruptible((signal) =>
    withEncoder(options, (tokenizer) =>
      withOutput(output, async (write) => {
        const { total, files } = await findPictures(inputs, report, signal);
        let done = 0;
        for await (const pictures of preparedBatches(files, batch, { tokenizer, report, signal, filter })) {
          const images = pictures.map(({ image }) => image);
          const codes = (await tokenizer.encode(images, { batch, signal })).map((c) => Array.from(c.codes));
          if (toTerminal) report.clear();
          for (const [i, { name }] of pictures.entries()) await write(format(name, codes[i]!));
          done += pictures.length;
          if (!toTerminal) report.progress("tokenizing", done, total);
        }
        report.finish(done);
      }),
    ),
  );
}
