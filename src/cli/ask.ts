/** `seedling ask`: a question about a picture. */
import { Command } from "commander";
import { UsageError } from "../base/errors.ts";
import { jsonOption, withExamples } from "./command.ts";
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
import { writeJson, writeStdout } from "./output.ts";
import { whole } from "./parsers.ts";
import { findPictures, type PreparedPicture, preparedBatches } from "./picture-inputs.ts";
import { Report } from "./report.ts";

interface Options extends LanguageOptions, SamplingOptions {
  readonly json?: boolean;
  readonly maxTokens: number;
}

export function askCommand(): Command {
  const command = new Command("ask")
    .description("answer a question about a picture")
    .argument("<picture>", "a file; - for standard input")
    .argument("<question...>", "in your own words, quoted or not")
    .addOption(jsonOption('{"image":"cat.png","question":"how many?","text":"two"}'))
    .option("--max-tokens <n>", "longest answer", whole(1, 100_000), 120);
  return withExamples(addLanguageOptions(addSamplingOptions(command, { temperature: 0, topP: 1 })), [
    ['seedling ask cat.png "how many cats are there?"'],
    ["seedling ask cat.png what color is it --beams 4"],
    ['seedling ask - "what is this?" < cat.png'],
  ]).action(ask);
}

async function ask(input: string, words: string[], options: Options): Promise<void> {
  const { json, maxTokens } = options;
  const report = new Report(options);
  const question = words.join(" ").trim();
  if (question === "") throw new UsageError("ask: expected a question, got none. Write one after the picture.");
  await interruptible(async (signal) => {
    const { total = 1, files } = await findPictures([input], report, signal);
    expectOne(total, input);
    await withLanguageModel(options, async (model) => {
      const pictures: PreparedPicture[] = [];
      for await (const some of preparedBatches(files, 1, { tokenizer: model.tokenizer, report, signal })) {
        pictures.push(...some);
        expectOne(pictures.length, input);
      }
      report.finish(pictures.length);
      const [picture] = pictures;
      if (!picture) throw new UsageError(`ask: expected a picture, found none in ${input}. Name one.`);
      report.doing("answering");
      const text = oneLine(await model.ask(picture.image, question, { ...samplingOf(options), maxTokens, signal }));
      report.clear();
      await (json ? writeJson({ image: picture.name, question, text }) : writeStdout(`${text}\n`));
    });
  });
}

function expectOne(pictures: number, input: string): void {
  if (pictures > 1) throw new UsageError(`ask: expected one picture, got more in ${input}. Name one.`);
}
