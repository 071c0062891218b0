/** `seedling describe`: what pictures show, in words. */
import { Command } from "commander";
import { DESCRIBING_PENALTY } from "../language/index.ts";
import { interruptible } from "./interrupt.ts";
import {
  addLanguageOptions,
  addSamplingOptions,
  type LanguageOptions,
  oneLine,
  type SamplingOptions,
  samplingOf,
  withLanguageModel,
} from "./language-options.ts";
import { whole } from "./options.ts";
import { withOutput } from "./output.ts";
import { findPictures, preparedBatches } from "./picture-inputs.ts";
import { Report } from "./report.ts";

interface Options extends LanguageOptions, SamplingOptions {
  readonly output?: string;
  readonly json?: boolean;
  readonly maxTokens: number;
  readonly bestOf?: number;
  readonly batch?: number;
}

export function describeCommand(): Command {
  const command = new Command("describe")
    .description("what pictures show, a line of text each")
    .argument("<pictures...>", "files, folders, globs, tar shards; - for standard input")
    .option("-o, --output <file>", "where to write, whole or not at all (default: standard output)")
    .option("--json", 'one JSON object a line: {"image":"cat.png","text":"a red cat"}')
    .option("--max-tokens <n>", "longest text", whole(1, 100_000), 120)
    .option(
      "--best-of <n>",
      "of so many descriptions the one that fits the picture's codes best (default: as the adapter's seedling.json says, or 16; 1 with --temperature or --beams)",
      whole(1, 256),
    )
    .option(
      "--batch <n>",
      "texts at a time, without beams: more is faster and takes more memory (default: 16, or all of a picture)",
      whole(1, 1024),
    );
  return addLanguageOptions(addSamplingOptions(command, { repetitionPenalty: DESCRIBING_PENALTY }))
    .addHelpText(
      "after",
      `
Several pictures are named before what they show.

Examples:
  seedling describe cat.jpg
  seedling describe photos/ --json -o photos.jsonl
  seedling describe 'shards/*.tar' --beams 4
  curl -s https://example.org/cat.jpg | seedling describe -
  seedling describe cat.jpg --lm SmolLM2-135M-Instruct.Q4_1.gguf --adapter models/seedling-smollm2`,
    )
    .action(describe);
}

async function describe(inputs: string[], options: Options): Promise<void> {
  const { json, output, maxTokens, batch, bestOf } = options;
  const report = new Report(options);
  const toTerminal = (output === undefined || output === "-") && process.stdout.isTTY === true;
  await interruptible((signal) =>
    withLanguageModel(options, (model) =>
      withOutput(output, async (write) => {
        const { total, files } = await findPictures(inputs, report, signal);
        const settings = {
          ...samplingOf(options),
          maxTokens,
          signal,
          ...(bestOf === undefined ? {} : { bestOf }),
          ...(batch === undefined ? {} : { batch }),
        };
        // Beams search for one reply at a time; several descriptions of one picture fill a batch by themselves.
        const together = options.beams > 1 ? 1 : Math.max(1, Math.floor((batch ?? 16) / model.descriptions(settings)));
        let done = 0;
        report.progress("describing", 0, total);
        for await (const pictures of preparedBatches(files, together, { tokenizer: model.tokenizer, report, signal })) {
          const images = pictures.map(({ image }) => image);
          const onReply = (n: number): void => report.progress("describing", done + n, total);
          const texts = await model.describe(images, { ...settings, onReply });
          if (toTerminal) report.clear();
          for (const [i, { name }] of pictures.entries()) {
            const line = oneLine(texts[i]!);
            if (json) await write(`${JSON.stringify({ image: name, text: line })}\n`);
            else await write(total === 1 ? `${line}\n` : `${name}: ${line}\n`);
          }
          done += pictures.length;
        }
        report.finish(done);
      }),
    ),
  );
}
