/** `seedling detokenize`: 32 codes -> a picture. */
import { Command } from "commander";
import { UsageError } from "../errors.ts";
import { writeFileAtomic } from "../files.ts";
import { readCodes } from "./code-inputs.ts";
import { interruptible } from "./interrupt.ts";
import {
  addDiffusionOptions,
  addModelOptions,
  type DiffusionOptions,
  type ModelOptions,
  withPainter,
} from "./options.ts";
import { writeStdout } from "./output.ts";
import { addPaintingOptions, type PaintingOptions, paintings } from "./painting.ts";
import { PictureFolder, paintedPng } from "./picture-outputs.ts";
import { Report } from "./report.ts";

interface Options extends ModelOptions, DiffusionOptions, PaintingOptions {
  readonly output: string;
  readonly packed?: boolean;
}

export function detokenizeCommand(): Command {
  const command = new Command("detokenize")
    .description("32 codes -> a picture, painted by the model's diffusion model, or by Stable Diffusion")
    .argument("<codes...>", "files of codes: text, JSON lines or packed; - for standard input")
    .option("-o, --output <path>", "a folder; for one picture also a .png file, or - for standard output", "painted")
    .option("--packed", "the files hold packed codes, 52 bytes a picture");
  return addModelOptions(addDiffusionOptions(addPaintingOptions(command)))
    .addHelpText(
      "after",
      `
Examples:
  seedling detokenize codes.txt                       painted/codes-1.png, ...
  seedling detokenize codes.jsonl -o out --keep 4,8,16,32
  seedling tokenize cat.jpg | seedling detokenize - -o cat-again.png
  seedling detokenize codes.txt --model seed-2 --diffusion stable-diffusion-2-1-unclip --steps 20`,
    )
    .action(detokenize);
}

async function detokenize(inputs: string[], options: Options): Promise<void> {
  const report = new Report(options);
  await interruptible((signal) =>
    withPainter(options, async (painter) => {
      const { packed = false, keep, output } = options;
      const all = await readCodes(inputs, { packed, size: painter.codebookSize, report, signal });
      const save = saver(output, all.length * keep.length);
      const codes = all.map((one) => one.codes);
      for await (const { index, keep: n, image } of paintings(painter, codes, options, { signal, report })) {
        const stem = keep.length > 1 ? `${all[index]!.stem}-${n}` : all[index]!.stem;
        await save(stem, await paintedPng(image, codes[index]!));
      }
      report.finish(all.length);
    }),
  );
}

/** Where a picture of this name goes. */
function saver(output: string, count: number): (stem: string, png: Uint8Array) => Promise<unknown> {
  if (output !== "-" && !/\.png$/i.test(output)) {
    const folder = new PictureFolder(output);
    return (stem, png) => folder.write(stem, png);
  }
  if (count > 1)
    throw new UsageError(`detokenize: expected one picture for -o ${output}, got ${count}. Name a folder.`);
  return (_, png) => (output === "-" ? writeStdout(png) : writeFileAtomic(output, png));
}
