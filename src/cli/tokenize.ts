/** `seedling tokenize`: pictures -> 32 codes each. */
import { Command, Option } from "commander";
import { UsageError } from "../base/errors.ts";
import { item } from "../base/item.ts";
import { formatCodes, formatCodesJson, packCodes } from "../codes/index.ts";
import type { ResizeFilter } from "../image/index.ts";
import { type Example, jsonOption, outputOption, withExamples } from "./command.ts";
import { interruptible } from "./interrupt.ts";
import { addModelOptions, type ModelOptions, withModel } from "./options.ts";
import { expectOutput, toStdout, withOutput } from "./output.ts";
import { whole } from "./parsers.ts";
import { findPictures, preparedBatches } from "./picture-inputs.ts";
import { plural, Report } from "./report.ts";
import type { OutputFormatName } from "./shards/output-format.ts";

interface Options extends ModelOptions {
  readonly json?: boolean;
  readonly packed?: boolean;
  readonly output?: string;
  readonly batch: number;
  readonly filter: ResizeFilter;
  readonly shards?: string;
  readonly outputFormat?: OutputFormatName;
  readonly embeddings?: boolean;
  readonly stale?: number;
  readonly wait: boolean;
}

const FORMATS: OutputFormatName[] = ["packed", "jsonl", "parquet", "webdataset"];

const ABOUT_SHARDS = `Shards:
  With --shards each tar becomes one file, named by the tar, the model and the options. What is there is skipped. Start
  the same command any number of times, on any number of machines that see the folder: the processes share the work,
  and what one leaves behind when it is killed is done by another. --json prints a summary. See docs/shards.md.`;

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
    )
    .option("--shards <folder>", "one output for each tar shard, in this folder; many processes can share the work")
    .addOption(
      new Option("--output-format <name>", 'with --shards: what is written (default: "packed")').choices(FORMATS),
    )
    .option("--embeddings", "with --output-format parquet: the embedding of each picture too")
    .option(
      "--stale <seconds>",
      "with --shards: after how long the work of a process that no longer responds is taken over (default: 120)",
      whole(1, 86_400),
    )
    .option("--no-wait", "with --shards: do not wait for shards that other processes are working on");
  const examples: Example[] = [
    ["seedling tokenize cat.jpg", "32 numbers on one line"],
    ["seedling tokenize photos/ --json -o codes.jsonl", "a whole folder, with names"],
    ["seedling tokenize 'shards/*.tar' --packed -o codes.bin", "WebDataset shards, 52 bytes a picture"],
    ["seedling tokenize photos/ --model seed-2 --filter bilinear", "imported weights"],
    ["curl -s https://example.org/cat.jpg | seedling tokenize -", "from a pipe"],
    ["seedling tokenize 'shards/*.tar' --shards out/", "one file a shard; any number of processes share the work"],
    ["seedling tokenize 'shards/*.tar' --shards out/ --output-format jsonl", "codes and captions to train with"],
    ["seedling tokenize 'shards/*.tar' --shards out/ --output-format parquet --embeddings"],
  ];
  return withExamples(addModelOptions(command), examples, ABOUT_SHARDS).action(tokenize);
}

/** @throws UsageError for options that belong to --shards, or do not go with it */
function checkShardOptions({ shards, packed, output, outputFormat, embeddings, stale, wait }: Options): void {
  const given = Object.entries({
    ...{ "--output-format": outputFormat, "--embeddings": embeddings, "--stale": stale },
    "--no-wait": wait ? undefined : true,
  }).find(([, value]) => value !== undefined);
  if (shards === undefined && given)
    throw new UsageError(`tokenize: expected ${given[0]} with --shards, got it alone. Name a folder: --shards.`);
  if (shards === undefined) return;
  if (packed || output !== undefined)
    throw new UsageError(
      `tokenize: expected --shards without ${packed ? "--packed" : "--output"}, got both. Use --output-format.`,
    );
  if (embeddings && outputFormat !== "parquet")
    throw new UsageError("tokenize: expected --embeddings with --output-format parquet, got another format.");
}

async function tokenize(inputs: string[], options: Options): Promise<void> {
  checkShardOptions(options);
  const { shards } = options;
  if (shards !== undefined)
    return (await import("./tokenize-shards.ts")).tokenizeShards(inputs, { ...options, shards });
  const { json, packed, output, batch, filter } = options;
  if (json && packed) throw new UsageError("tokenize: expected --json or --packed, got both. Choose one.");
  const toTerminal = toStdout(output) && process.stdout.isTTY === true;
  if (packed && toTerminal)
    throw new UsageError("tokenize: packed codes are not text for a terminal. Name a file: -o.");
  const format = (image: string, codes: readonly number[]): string | Uint8Array => {
    if (packed) return packCodes([codes]);
    return `${json ? formatCodesJson({ image, codes }) : formatCodes(codes)}\n`;
  };
  const report = new Report(options);
  let done = 0;
  const bytes = await interruptible(async (signal) => {
    await expectOutput(output);
    const { total, files } = await findPictures(inputs, report, signal);
    return withModel(options, "encode", (tokenizer) =>
      withOutput(output, async (write) => {
        report.progress("tokenizing", 0, total, "pictures");
        for await (const pictures of preparedBatches(files, batch, { tokenizer, report, signal, filter })) {
          const images = pictures.map(({ image }) => image);
          const codes = (await tokenizer.encode(images, { batch, signal })).map((c) => Array.from(c.codes));
          if (toTerminal) report.clear();
          for (const [i, one] of codes.entries()) await write(format(item(pictures, i).name, one));
          done += pictures.length;
          if (!toTerminal) report.progress("tokenizing", done, total, "pictures");
        }
        report.finish(done);
      }),
    );
  });
  if (!toStdout(output)) report.wrote(output, bytes, `codes of ${plural(done, "picture")}`);
}
