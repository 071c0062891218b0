/** `seedling reconstruct`: picture -> codes -> picture, side by side. */
import { Command } from "commander";
import { UsageError } from "../base/errors.ts";
import { item } from "../base/item.ts";
import { comparisonSheet } from "../image/comparison.ts";
import { encodePng, type RgbImage } from "../image/index.ts";
import { writeFileAtomic } from "../io/files.ts";
import { jsonOption, withExamples } from "./command.ts";
import { addDecodingOptions, type DecodingOptions, decodings } from "./decoding.ts";
import { interruptible } from "./interrupt.ts";
import {
  addDiffusionOptions,
  addModelOptions,
  type DiffusionOptions,
  type ModelOptions,
  withModel,
} from "./options.ts";
import { writeJson } from "./output.ts";
import { whole } from "./parsers.ts";
import { findPictures, type PreparedPicture, preparedBatches } from "./picture-inputs.ts";
import { expectFilePlace } from "./places.ts";
import { plural, Report } from "./report.ts";

interface Options extends ModelOptions, DiffusionOptions, DecodingOptions {
  readonly output: string;
  readonly batch: number;
  readonly json?: boolean;
}

/** Rows of a sheet; a longer one is of no use to the eye. */
const MAX_ROWS = 200;

export function reconstructCommand(): Command {
  const command = new Command("reconstruct")
    .description("turn pictures into codes and back, on one sheet with the originals")
    .argument("<pictures...>", "files, folders, globs, tar shards; - for standard input")
    .option("-o, --output <file>", "the sheet, a PNG", "seedling-reconstruct.png")
    .option("--batch <n>", "pictures computed at a time", whole(1, 4096), 16)
    .addOption(jsonOption('{"image":"cat.png","codes":[...],"sheet":"sheet.png"}'));
  return withExamples(addModelOptions(addDiffusionOptions(addDecodingOptions(command))), [
    ["seedling reconstruct cat.jpg dog.png"],
    ["seedling reconstruct photos/ --keep 32,16,8,4 --seed 7 -o sheet.png", "a column for each number of codes"],
  ]).action(reconstruct);
}

async function reconstruct(inputs: string[], options: Options): Promise<void> {
  const { batch, keep, output, json } = options;
  await expectFilePlace(output);
  const report = new Report(options);
  await interruptible(async (signal) => {
    const { total, files } = await findPictures(inputs, report, signal);
    expectRows(total ?? 0);
    await withModel(options, "decode", async (model) => {
      const pictures: PreparedPicture[] = [];
      const codes: number[][] = [];
      report.progress("tokenizing", 0, total, "pictures");
      for await (const some of preparedBatches(files, batch, { tokenizer: model, report, signal })) {
        pictures.push(...some);
        expectRows(pictures.length);
        const images = some.map(({ image }) => image);
        const tokenized = await model.encode(images, { batch, signal });
        codes.push(...tokenized.map((one) => Array.from(one.codes)));
        report.progress("tokenizing", pictures.length, total, "pictures");
      }
      report.finish(pictures.length);
      const rows: RgbImage[][] = pictures.map(({ image }) => [image]);
      for await (const { index, image } of decodings(model, codes, options, { signal, report }))
        item(rows, index).push(image);
      const sheet = await encodePng(comparisonSheet(["original", ...keep.map(title)], rows));
      await writeFileAtomic(output, sheet);
      if (json)
        for (const [i, { name }] of pictures.entries())
          await writeJson({ image: name, codes: codes[i], sheet: output });
      report.wrote(output, sheet.length, `a sheet of ${plural(rows.length, "picture")}`);
    });
  });
}

function expectRows(pictures: number): void {
  if (pictures > MAX_ROWS)
    throw new UsageError(`reconstruct: expected at most ${MAX_ROWS} pictures for one sheet. Name fewer.`);
}

/** Title of the column that was decoded from the first n codes. */
export function title(n: number): string {
  return plural(n, "code");
}
