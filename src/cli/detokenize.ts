import { Command } from "commander";
import { UsageError } from "../base/errors.ts";
import { readCodes } from "./code-inputs.ts";
import { interruptible } from "./interrupt.ts";
import {
  addDiffusionOptions,
  addModelOptions,
  type DiffusionOptions,
  type ModelOptions,
  withPainter,
} from "./options.ts";
import { writeBeside } from "./output.ts";
import { addPaintingOptions, type PaintingOptions, paintings } from "./painting.ts";
import { paintedPng, pictureSaver } from "./picture-outputs.ts";
import { Report } from "./report.ts";

interface Options extends ModelOptions, DiffusionOptions, PaintingOptions {
  readonly output: string;
  readonly packed?: boolean;
  readonly json?: boolean;
}

export function detokenizeCommand(): Command {
  const command = new Command("detokenize")
    .description("32 codes -> a picture, painted by the model's diffusion model, or by Stable Diffusion")
    .argument("<codes...>", "files of codes: text, JSON lines or packed; - for standard input")
    .option("-o, --output <path>", "a folder; for one picture also a .png file, or - for standard output", "painted")
    .option("--packed", "the files hold packed codes, 52 bytes a picture")
    .option("--json", "a JSON object a picture on standard output: file, keep, codes");
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
  const { packed = false, json, keep, output } = options;
  if (json && output === "-") throw new UsageError("detokenize: expected --json or -o -, got both. Name a file.");
  const report = new Report(options);
  await interruptible((signal) =>
    withPainter(options, async (painter) => {
      const all = await readCodes(inputs, { packed, size: painter.codebookSize, report, signal });
      const save = pictureSaver("detokenize", output, all.length * keep.length);
      const codes = all.map((one) => one.codes);
      for await (const { index, keep: n, image } of paintings(painter, codes, options, { signal, report })) {
        const stem = keep.length > 1 ? `${all[index]!.stem}-${n}` : all[index]!.stem;
        const file = await save(stem, await paintedPng(image, codes[index]!));
        if (json) await writeBeside(`${JSON.stringify({ file, keep: n, codes: codes[index] })}\n`);
      }
      report.finish(all.length);
    }),
  );
}
