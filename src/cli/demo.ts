/** `seedling demo`: the pictures in examples/ to codes and back, in words, and drawings of what words ask for. */

import { stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Argument, Command } from "commander";
import { item } from "../base/item.ts";
import { CODES_PER_IMAGE, formatCodes } from "../codes/index.ts";
import { comparisonSheet } from "../image/comparison.ts";
import { blankImage, encodePng, type RgbImage } from "../image/index.ts";
import type { SeedTokenizer } from "../image-tokenizer/seed-tokenizer.ts";
import { writeFileAtomic } from "../io/files.ts";
import { SeedLanguageModel } from "../language/index.ts";
import { withExamples } from "./command.ts";
import { addDecodingOptions, type DecodingOptions, decodings } from "./decoding.ts";
import { showPicture } from "./inline-picture.ts";
import { interruptible } from "./interrupt.ts";
import { oneLine } from "./language-options.ts";
import { addModelOptions, closing, findModel, type ModelOptions, opening, shownModel, withModel } from "./options.ts";
import { writeStdout } from "./output.ts";
import { findPictures } from "./picture-inputs.ts";
import { expectFilePlace } from "./places.ts";
import { title } from "./reconstruct.ts";
import { plural, Report } from "./report.ts";

const QUESTION = "how many things are there?";
/** Each holds a color, and a count or a side or both. */
const PROMPTS = [
  "two red apples above a green car",
  "three yellow stars on a black background",
  "a blue umbrella above two houses",
  "a red heart to the left of a yellow star",
  "a green frog to the right of a mushroom",
  "three blue cars above a strawberry on a gray background",
];
const EXAMPLES = fileURLToPath(new URL("../../examples", import.meta.url));

interface Options extends ModelOptions, DecodingOptions {
  readonly output: string;
  readonly drawings: string;
}

export function demoCommand(): Command {
  const command = new Command("demo")
    .description("show what the model does: codes and words of some pictures, the pictures again, and six drawings")
    .addArgument(
      new Argument("[pictures...]", "your own pictures in place of the examples").default(
        [EXAMPLES],
        "the examples that come with the package",
      ),
    )
    .option("-o, --output <file>", "the sheet of pictures from codes, a PNG", "seedling-demo.png")
    .option("--drawings <file>", "the sheet of drawings, a PNG", "seedling-demo-drawings.png");
  return withExamples(addModelOptions(addDecodingOptions(command, [CODES_PER_IMAGE, 16, 8, 4])), [
    ["seedling demo"],
    ["seedling demo photos/ -o sheet.png", "with your own pictures"],
  ]).action(demo);
}

async function demo(inputs: string[], options: Options): Promise<void> {
  const report = new Report(options);
  const { keep, output, drawings } = options;
  for (const path of [output, drawings]) await expectFilePlace(path);
  const start = performance.now();
  await interruptible(async (signal) => {
    const { files } = await findPictures(inputs, report, signal);
    await withParts(options, async (tokenizer, language) => {
      report.doing("preparing the tokenizer");
      await tokenizer.encode([blankImage(8, 8)]); // compiles, so that the times below are those of tokenizing
      await print(`model ready in ${seconds(start)}: ${tokenizer.codebookSize} codes, ${shownModel(options)}`);

      const rows: RgbImage[][] = [];
      const codes: number[][] = [];
      for await (const { name, read } of files)
        try {
          signal.throwIfAborted();
          const began = performance.now();
          const image = await tokenizer.prepare(await read(), { where: name });
          const one = item(await tokenizer.encode([image]), 0);
          const ms = performance.now() - began;
          const picture = Array.from(one.codes);
          codes.push(picture);
          rows.push([image]);
          await print(`\n${basename(name)}, ${ms.toFixed(0)} ms\n  ${formatCodes(picture)}`);
          report.doing(`describing ${basename(name)}`);
          if (language) await talk(language, picture, signal);
        } catch (error) {
          report.problem(error);
        }
      report.finish(rows.length);

      const decoding = performance.now();
      for await (const { index, image } of decodings(tokenizer, codes, options, { signal, report }))
        item(rows, index).push(image);
      const drafted = codes.length > 0 && tokenizer.capabilities.has("decodeDraft");
      if (drafted) for (const [i, draft] of (await tokenizer.decodeDraft(codes)).entries()) item(rows, i).push(draft);
      report.clear();
      await print(`\n${plural(rows.length, "picture")} again from ${keep.join(", ")} codes in ${seconds(decoding)}`);
      await writeSheet(output, ["original", ...keep.map(title), ...(drafted ? ["draft"] : [])], rows, report);
      if (language) await draw(language, options, report, signal);
      await print(`done in ${seconds(start)}`);
    });
  });
}

async function writeSheet(
  path: string,
  titles: readonly string[],
  rows: readonly (readonly RgbImage[])[],
  report: Report,
): Promise<void> {
  const sheet = comparisonSheet(titles, rows);
  const png = await encodePng(sheet);
  await writeFileAtomic(path, png);
  await showPicture(sheet, png, report);
  report.wrote(path, png.length);
}

/** The model of pictures, and the language model if the folder has one. */
async function withParts(
  options: ModelOptions,
  use: (tokenizer: SeedTokenizer, language: SeedLanguageModel | undefined) => Promise<void>,
): Promise<void> {
  const { folder, load } = await findModel(options);
  const speaks = await stat(join(folder, "lm-adapter")).catch(() => undefined);
  if (!speaks) return withModel(options, "decode", (tokenizer) => use(tokenizer, undefined));
  const language = await opening(options, SeedLanguageModel.fromPretrained(folder, load));
  return closing(language, () => use(language.tokenizer, language));
}

/** What a picture shows, and the answer to one question. */
async function talk(language: SeedLanguageModel, codes: readonly number[], signal: AbortSignal): Promise<void> {
  const text = item(await language.describe([{ codes }], { signal }), 0);
  const answer = await language.ask({ codes }, QUESTION, { signal });
  await print(`  it says: ${oneLine(text)}\n  ${QUESTION} ${oneLine(answer)}`);
}

async function draw(
  language: SeedLanguageModel,
  { drawings, seed }: Options,
  report: Report,
  signal: AbortSignal,
): Promise<void> {
  const start = performance.now();
  const drawn: RgbImage[] = [];
  for (const prompt of PROMPTS) {
    report.doing(`drawing "${prompt}"`);
    for (const { image } of await language.draw(prompt, { seed, signal })) drawn.push(image);
  }
  report.clear();
  await print(`\n${plural(drawn.length, "drawing")} of words in ${seconds(start)}`);
  await writeSheet(drawings, PROMPTS, [drawn], report);
}

function print(line: string): Promise<void> {
  return writeStdout(`${line}\n`);
}

function seconds(since: number): string {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`;
}
