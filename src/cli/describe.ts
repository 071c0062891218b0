/** `seedling describe`: images to text. */
import { Command } from "commander";
import { DESCRIBING_PENALTY } from "../language/index.ts";
import { jsonOption, outputOption, withExamples } from "./command.ts";
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
import { expectOutput, toStdout, withOutput } from "./output.ts";
import { whole } from "./parsers.ts";
import { findPictures, preparedBatches } from "./picture-inputs.ts";
import { plural, Report } from "./report.ts";

interface Options extends LanguageOptions, SamplingOptions {
  readonly output?: string;
  readonly json?: boolean;
  readonly maxTokens: number;
  readonly bestOf?: number;
  readonly batch?: number;
}

export function describeCommand(): Command {
  const command = new Command("describe")
    .description("describe pictures, one line of text each")
    .argument("<pictures...>", "files, folders, globs, tar shards; - for standard input")
    .addOption(outputOption("where the text goes"))
    .addOption(jsonOption('{"image":"cat.png","text":"a red cat"}'))
    .option("--max-tokens <n>", "longest description", whole(1, 100_000), 120)
    .option(
      "--best-of <n>",
      "sample n descriptions and take the one nearest to the picture's codes (default: the adapter's, or 16; 1 with --temperature or --beams)",
      whole(1, 256),
    )
    .option(
      "--batch <n>",
      "descriptions computed at a time: more is faster and takes more memory (default: 16, or all of a picture)",
      whole(1, 1024),
    );
  return withExamples(
    addLanguageOptions(addSamplingOptions(command, { repetitionPenalty: DESCRIBING_PENALTY })),
    [
      ["seedling describe cat.jpg"],
      ["seedling describe photos/ --json -o photos.jsonl"],
      ["seedling describe 'shards/*.tar' --beams 4"],
      ["curl -s https://example.org/cat.jpg | seedling describe -"],
      ["seedling describe cat.jpg --adapter models/seedling-smollm2", "another language model"],
    ],
    "With several pictures each line begins with the picture's name.",
  ).action(describe);
}

async function describe(inputs: string[], options: Options): Promise<void> {
  const { json, output, maxTokens, batch, bestOf } = options;
  const report = new Report({ ...options, json: json && toStdout(output) });
  await expectOutput(output);
  const toTerminal = toStdout(output) && process.stdout.isTTY === true;
  let done = 0;
  const bytes = await interruptible(async (signal) => {
    const { total, files } = await findPictures(inputs, report, signal);
    return withLanguageModel(options, (model) =>
      withOutput(output, async (write) => {
        const settings = { ...samplingOf(options), maxTokens, bestOf, batch, signal };
        // Beam search makes one reply at a time; several descriptions of one picture fill a batch by themselves.
        const together = options.beams > 1 ? 1 : Math.max(1, Math.floor((batch ?? 16) / model.descriptions(settings)));
        report.progress("describing", 0, total, "pictures");
        for await (const pictures of preparedBatches(files, together, { tokenizer: model.tokenizer, report, signal })) {
          const images = pictures.map(({ image }) => image);
          const onReply = (n: number): void => report.progress("describing", done + n, total, "pictures");
          const texts = await model.describe(images, { ...settings, onReply });
          if (toTerminal) report.clear();
          for (const [i, { name }] of pictures.entries()) {
            const text = oneLine(texts[i] ?? "");
            await write(
              json ? `${JSON.stringify({ image: name, text })}\n` : total === 1 ? `${text}\n` : `${name}: ${text}\n`,
            );
          }
          done += pictures.length;
        }
        report.finish(done);
      }),
    );
  });
  if (!toStdout(output)) report.wrote(output, bytes, plural(done, "description"));
}
