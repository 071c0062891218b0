/** `seedling demo`: the pictures in examples/ to codes and back, in under a minute. */

import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { CODES_PER_IMAGE, formatCodes } from "../codes/index.ts";
import { writeFileAtomic } from "../files.ts";
import { comparisonSheet } from "../image/comparison.ts";
import { blankImage, encodePng, type RgbImage } from "../image/index.ts";
import { interruptible } from "./interrupt.ts";
import { addModelOptions, type ModelOptions, withTokenizer } from "./options.ts";
import { writeStdout } from "./output.ts";
import { addPaintingOptions, type PaintingOptions, paintings } from "./painting.ts";
import { findPictures } from "./picture-inputs.ts";
import { title } from "./reconstruct.ts";
import { Report } from "./report.ts";

const EXAMPLES = fileURLToPath(new URL("../../examples", import.meta.url));

interface Options extends ModelOptions, PaintingOptions {
  readonly output: string;
}

export function demoCommand(): Command {
  const command = new Command("demo")
    .description("tokenize some pictures, print their codes, and paint them back from all 32 and from the first few")
    .argument("[pictures...]", "other pictures than the examples that come with the package", [EXAMPLES])
    .option("-o, --output <file>", "the sheet, a PNG", "seedling-demo.png");
  return addModelOptions(addPaintingOptions(command, [CODES_PER_IMAGE, 16, 8, 4])).action(demo);
}

async function demo(inputs: string[], options: Options): Promise<void> {
  const report = new Report(options);
  const { keep, output } = options;
  const start = performance.now();
  await interruptible((signal) =>
    withTokenizer(options, async (tokenizer) => {
      await tokenizer.encode([blankImage(8, 8)]); // compiles, so that the times below are those of tokenizing
      await print(`model ready in ${seconds(start)}: ${tokenizer.codebookSize} codes, ${options.model}`);

      const rows: RgbImage[][] = [];
      const codes: number[][] = [];
      for await (const { name, read } of (await findPictures(inputs, report, signal)).files)
        try {
          signal.throwIfAborted();
          const began = performance.now();
          const image = await tokenizer.prepare(await read(), { where: name });
          const [one] = await tokenizer.encode([image]);
          const ms = performance.now() - began;
          codes.push(Array.from(one!.codes));
          rows.push([image]);
          await print(`\n${basename(name)}, ${ms.toFixed(0)} ms\n  ${formatCodes(codes.at(-1)!)}`);
        } catch (error) {
          report.problem(error);
        }
      report.finish(rows.length);

      const painting = performance.now();
      for await (const { index, image } of paintings(tokenizer, codes, options, { signal, report }))
        rows[index]!.push(image);
      report.clear();
      await print(`\npainted ${rows.length} pictures from ${keep.join(", ")} codes in ${seconds(painting)}`);
      await writeFileAtomic(output, await encodePng(comparisonSheet(["original", ...keep.map(title)], rows)));
      await print(`wrote ${output} in ${seconds(start)} altogether`);
    }),
  );
}

function print(line: string): Promise<void> {
  return writeStdout(`${line}\n`);
}

function seconds(since: number): string {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`;
}
