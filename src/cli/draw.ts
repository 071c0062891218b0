/** `seedling draw`: a prompt -> codes -> a picture that carries how it was drawn; and the same picture from that file. */
import { basename, resolve } from "node:path";
import { Command } from "commander";
import { InputError, UsageError } from "../base/errors.ts";
import { item } from "../base/item.ts";
import { VERSION } from "../base/version.ts";
import { decodeImage } from "../image/index.ts";
import type { DecoderOptions } from "../image-decoder/decoder.ts";
import { SeedTokenizer } from "../image-tokenizer/seed-tokenizer.ts";
import { readFileBounded } from "../io/files.ts";
import {
  type DrawingNote,
  decoderHashes,
  differentPixels,
  drawingPng,
  expectCodes,
  expectSameDecoder,
  readDrawingNote,
} from "../language/index.ts";
import { guidanceOption, jsonOption, stepsOption, withExamples } from "./command.ts";
import { showPicture } from "./inline-picture.ts";
import { interruptible } from "./interrupt.ts";
import {
  addLanguageOptions,
  addSamplingOptions,
  type LanguageOptions,
  type SamplingOptions,
  samplingOf,
  withLanguageModel,
} from "./language-options.ts";
import { closing, findModel } from "./options.ts";
import { writeBeside } from "./output.ts";
import { real, whole } from "./parsers.ts";
import { MAX_PICTURE } from "./picture-inputs.ts";
import { PictureSaver } from "./picture-outputs.ts";
import { Report } from "./report.ts";

interface Options extends LanguageOptions, SamplingOptions {
  readonly output: string;
  readonly count: number;
  readonly from?: string;
  readonly codeGuidance: number;
  readonly negative?: string;
  readonly steps?: number;
  readonly guidance?: number;
  readonly json?: boolean;
}

export function drawCommand(): Command {
  const command = new Command("draw")
    .description("draw a picture from a prompt")
    .argument("[prompt...]", "what to draw, quoted or not")
    .option("-o, --output <path>", "a folder; for one picture also a .png file, or - for standard output", "drawings")
    .addOption(jsonOption('{"file":"drawings/a-cat-0.png","prompt":"a cat","seed":0,"codes":[...]}'))
    .option(
      "--count <n>",
      "number of pictures, of this seed and the next ones; with --beams the best",
      whole(1, 10_000),
      1,
    )
    .option("--from <file>", "decode the drawing in this file again, bit for bit")
    .option("--code-guidance <x>", "how closely the codes follow the prompt: 1 as the model is, above more", real, 1)
    .option("--negative <text>", "the prompt that --code-guidance moves away from (default: an empty one)")
    .addOption(stepsOption())
    .addOption(guidanceOption());
  return withExamples(
    addLanguageOptions(addSamplingOptions(command, { temperature: 1, topP: 0.5 })),
    [
      ['seedling draw "two red apples above a blue car" -o out.png'],
      ["seedling draw a cat and a dog --count 4 --seed 7"],
      ['seedling draw "a house" --beams 4 --code-guidance 3 --negative "a tree" -o house.png'],
      ["seedling draw --from out.png -o again.png", "the same picture again"],
    ],
    "Each file carries its prompt, codes, seed, settings and hashes of the models.",
  ).action((words: string[], options: Options) =>
    options.from === undefined ? draw(words, options) : again(words, options, options.from),
  );
}

async function draw(words: string[], options: Options): Promise<void> {
  const prompt = words.join(" ").trim();
  if (prompt === "")
    throw new UsageError("draw: expected a prompt, got none. Say what to draw, or name a file: --from.");
  const { count, json, output, steps, guidance, codeGuidance, negative } = options;
  if (json && output === "-") throw new UsageError("draw: expected --json or -o -, got both. Name a file.");
  if (negative !== undefined && codeGuidance === 1)
    throw new UsageError("--negative: expected --code-guidance with it, other than 1, got none.");
  const saver = new PictureSaver(output);
  await saver.expect(count);
  const report = new Report(options);
  await interruptible((signal) =>
    withLanguageModel(options, async (model) => {
      const drawings = await model.draw(prompt, {
        ...samplingOf(options),
        count,
        guidance: codeGuidance,
        negative,
        steps,
        guidanceScale: guidance,
        signal,
        onCodes: (done, of) => report.progress("drawing codes", done, of, "pictures"),
        onStep: (done, of) => report.progress("decoding", (done / of) * count, count, "pictures"),
      });
      report.clear();
      for (const drawing of drawings) {
        const png = await drawing.png();
        signal.throwIfAborted();
        const { codes, seed, image } = drawing;
        const file = await saver.save(`${slug(prompt)}-${seed}`, png);
        await showPicture(image, png, report);
        if (json) await writeBeside(`${JSON.stringify({ file, prompt, seed, codes })}\n`);
      }
      saver.reportTo(report);
    }),
  );
}

/** Decodes a drawing's codes again, if this is the model that decoded it. */
async function again(words: string[], options: Options, from: string): Promise<void> {
  const { output, device } = options;
  if (words.length > 0) throw new UsageError("draw: expected a prompt or --from, got both. Leave one out.");
  if (resolve(from) === resolve(output)) throw new UsageError(`draw: expected another file than ${from}. Name it: -o.`);
  const saver = new PictureSaver(output);
  await saver.expect(1);
  const report = new Report(options);
  const bytes = await readFileBounded(from, MAX_PICTURE);
  const note = readDrawingNote(bytes, from);
  const before = await decodeImage(bytes, from);
  await interruptible(async (signal) => {
    const { folder, load } = await findModel(options);
    expectSameDecoder(note, await decoderHashes(folder), device, from);
    const onProgress = (what: string): void => report.doing(what);
    const opened = await SeedTokenizer.fromPretrained(folder, { ...load, onProgress });
    await closing(opened, async (tokenizer) => {
      expectCodes(note, tokenizer.codebookSize, from);
      const image = item(await tokenizer.decode([note.codes], { ...decodingOf(note), signal }), 0);
      signal.throwIfAborted();
      const png = await drawingPng(image, note);
      const file = await saver.save(`${basename(from).replace(/\.[^.]+$/, "")}-again`, png);
      const different = differentPixels(image, before);
      if (different > 0)
        throw new InputError(
          `${from}: decoded again${file ? ` as ${file}` : ""}, but ${different} pixels differ: another machine, or an edited file. It was drawn by seedling ${note.version}, this is ${VERSION}.`,
        );
      report.clear();
      report.note(`wrote ${file ?? "the picture"}: the same as ${from}, pixel for pixel`);
    });
  });
}

function decodingOf({ seed, decoding }: DrawingNote): DecoderOptions {
  return { seed, batch: 1, steps: decoding.steps ?? undefined, guidanceScale: decoding.guidanceScale ?? undefined };
}

/** A file name of a prompt. */
function slug(prompt: string): string {
  const words = prompt.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  return words.join("-").slice(0, 60).replace(/-$/, "") || "drawing";
}
