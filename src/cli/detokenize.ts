/** `seedling detokenize`: 32 codes -> a picture. */
import { Command } from "commander";
import { UsageError } from "../base/errors.ts";
import { item } from "../base/item.ts";
import { codeFiles, readCodes } from "./code-inputs.ts";
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
import { writeBeside } from "./output.ts";
import { decodedPng, PictureSaver } from "./picture-outputs.ts";
import { Report } from "./report.ts";

interface Options extends ModelOptions, DiffusionOptions, DecodingOptions {
  readonly output: string;
  readonly packed?: boolean;
  readonly json?: boolean;
}

export function detokenizeCommand(): Command {
  const command = new Command("detokenize")
    .description("turn codes back into pictures, with the model's own diffusion model or Stable Diffusion")
    .argument("<codes...>", "files of codes: text, JSON lines or packed; - for standard input")
    .option("-o, --output <path>", "a folder; for one picture also a .png file, or - for standard output", "pictures")
    .option("--packed", "the files hold packed codes, 52 bytes a picture")
    .addOption(jsonOption('{"file":"pictures/cat.png","keep":32,"codes":[...]}'));
  return withExamples(addModelOptions(addDiffusionOptions(addDecodingOptions(command))), [
    ["seedling detokenize codes.txt", "pictures/codes-1.png, pictures/codes-2.png, ..."],
    ["seedling detokenize codes.jsonl -o out --keep 4,8,16,32", "from the first codes only, too"],
    ["seedling tokenize cat.jpg | seedling detokenize - -o cat-again.png"],
    ["seedling detokenize codes.txt --model seed-2 --diffusion sd-2-1-unclip --steps 20", "imported weights"],
  ]).action(detokenize);
}

async function detokenize(inputs: string[], options: Options): Promise<void> {
  const { packed = false, json, keep, output } = options;
  if (json && output === "-") throw new UsageError("detokenize: expected --json or -o -, got both. Name a file.");
  const saver = new PictureSaver(output);
  await saver.expect(1);
  const report = new Report(options);
  await interruptible(async (signal) => {
    const files = await codeFiles(inputs, report);
    await withModel(options, "decode", async (model) => {
      const all = await readCodes(files, { packed, size: model.codebookSize, report, signal });
      await saver.expect(all.length * keep.length);
      const codes = all.map((one) => one.codes);
      for await (const { index, keep: n, image } of decodings(model, codes, options, { signal, report })) {
        const { stem, codes } = item(all, index);
        const file = await saver.save(keep.length > 1 ? `${stem}-${n}` : stem, await decodedPng(image, codes));
        if (json) await writeBeside(`${JSON.stringify({ file, keep: n, codes })}\n`);
      }
      report.finish(all.length);
    });
  });
  saver.reportTo(report);
}
