/** `seedling reconstruct`: picture -> codes -> picture, side by side. */
import { Command } from "commander";
import { UsageError } from "../base/errors.ts";
import { comparisonSheet } from "../image/comparison.ts";
import { encodePng, type RgbImage } from "../image/index.ts";
import { writeFileAtomic } from "../io/files.ts";
import { interruptible } from "./interrupt.ts";
import {
  addDiffusionOptions,
  addModelOptions,
  type DiffusionOptions,
  type ModelOptions,
  whole,
  withPainter,
} from "./options.ts";
import { writeStdout } from "./output.ts";
import { addPaintingOptions, type PaintingOptions, paintings } from "./painting.ts";
import { findPictures, type PreparedPicture, preparedBatches } from "./picture-inputs.ts";
import { Report } from "./report.ts";

interface Options extends ModelOptions, DiffusionOptions, PaintingOptions {
  readonly output: string;
  readonly batch: number;
  readonly json?: boolean;
}

/** Rows of a sheet; a longer one is of no use to the eye. */
const MAX_ROWS = 200;

export function reconstructCommand(): Command {
  const command = new Command("reconstruct")
    .description("pictures -> codes -> pictures, one sheet with the originals beside what their codes say")
    .argument("<pictures...>", "files, folders, globs, tar shards; - for standard input")
    .option("-o, --output <file>", "the sheet, a PNG", "seedling-reconstruct.png")
    .option("--batch <n>", "pictures tokenized at a time", whole(1, 4096), 16)
    .option("--json", "a JSON object a picture on standard output: image, codes, sheet");
  return addModelOptions(addDiffusionOptions(addPaintingOptions(command)))
    .addHelpText(
      "after",
      `
Examples:
  seedling reconstruct cat.jpg dog.png
  seedling reconstruct photos/ --keep 32,16,8,4 --seed 7 -o sheet.png`,
    )
    .action(reconstruct);
}

async function reconstruct(inputs: string[], options: Options): Promise<void> {
  const report = new Report(options);
  await interruptible((signal) =>
    withPainter(options, async (painter) => {
      const { total, files } = await findPictures(inputs, report, signal);
      const pictures: PreparedPicture[] = [];
      const codes: number[][] = [];
      const { batch, keep, output } = options;
      for await (const some of preparedBatches(files, batch, { tokenizer: painter, report, signal })) {
        pictures.push(...some);
        if (pictures.length > MAX_ROWS)
          throw new UsageError(`reconstruct: expected at most ${MAX_ROWS} pictures for one sheet. Name fewer.`);
        const tokenized = await painter.encode(
          some.map(({ image }) => image),
          { batch, signal },
        );
        codes.push(...tokenized.map((one) => Array.from(one.codes)));
        report.progress("tokenizing", pictures.length, total);
      }
      report.finish(pictures.length);
      const rows: RgbImage[][] = pictures.map(({ image }) => [image]);
      for await (const { index, image } of paintings(painter, codes, options, { signal, report }))
        rows[index]!.push(image);
      await writeFileAtomic(output, await encodePng(comparisonSheet(["original", ...keep.map(title)], rows)));
      if (options.json)
        for (const [i, { name }] of pictures.entries())
          await writeStdout(`${JSON.stringify({ image: name, codes: codes[i], sheet: output })}\n`);
      else report.note(`wrote ${output}: ${rows.length} pictures`);
    }),
  );
}

/** Of the column that was painted from the first n codes. */
export function title(n: number): string {
  return n === 1 ? "1 code" : `${n} codes`;
}
