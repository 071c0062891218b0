/** `seedling draw`: words -> codes -> a picture, which remembers how it was drawn; and the same picture from that file. */
import { basename, resolve } from "node:path";
import { Command } from "commander";
import { InputError, UsageError } from "../base/errors.ts";
import { VERSION } from "../base/version.ts";
import { decodeImage } from "../image/index.ts";
import { SeedTokenizer } from "../image-tokenizer/seed-tokenizer.ts";
import { readFileBounded } from "../io/files.ts";
import {
  type DrawingNote,
  type DrawOptions,
  differentPixels,
  drawingPng,
  expectCodes,
  expectSamePainter,
  painterHashes,
  readDrawingNote,
} from "../language/index.ts";
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
import { closing, findModel, real, whole } from "./options.ts";
import { writeBeside } from "./output.ts";
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
    .description("a picture of what you ask for")
    .argument("[prompt...]", "what to draw, quoted or not")
    .option("-o, --output <path>", "a folder; for one picture also a .png file, or - for standard output", "drawings")
    .option("--count <n>", "pictures, of this seed and the next ones; with --beams the best ones", whole(1, 10_000), 1)
    .option("--from <file>", "a drawing made by this command: paints the same picture again, bit for bit")
    .option("--code-guidance <x>", "how closely the codes follow the prompt, 1 as the model is, above more", real, 1)
    .option("--negative <text>", "what --code-guidance moves away from (default: a request for nothing)")
    .option("--steps <n>", "steps of the diffusion model (default: what the model says)", whole(1, 10_000))
    .option("--guidance <x>", "how closely the painting follows the codes (default: what the model says)", real)
    .option("--json", "a JSON object a picture on standard output: file, prompt, seed, codes");
  return addLanguageOptions(addSamplingOptions(command, { temperature: 1, topP: 0.5 }))
    .addHelpText(
      "after",
      `
The file keeps prompt, codes, seed, settings and hashes of the models.

Examples:
  seedling draw "two red apples above a blue car" -o out.png
  seedling draw a cat and a dog --count 4 --seed 7
  seedling draw "a house" --beams 4 --code-guidance 3 --negative "a tree" -o house.png
  seedling draw --from out.png -o again.png`,
    )
    .action((words: string[], options: Options) =>
      options.from === undefined ? draw(words, options) : again(words, options),
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
      const settings: DrawOptions = {
        ...samplingOf(options),
        count,
        guidance: codeGuidance,
        ...(negative === undefined ? {} : { negative }),
        ...(steps === undefined ? {} : { steps }),
        ...(guidance === undefined ? {} : { guidanceScale: guidance }),
        signal,
        onCodes: (done, of) => report.progress("drawing", done, of, "codes"),
        onStep: (done, of) => report.progress("painting", (done / of) * count, count, "pictures"),
      };
      const drawings = await model.draw(prompt, settings);
      report.clear();
      for (const drawing of drawings) {
        const png = await drawing.png();
        signal.throwIfAborted();
        const file = await saver.save(`${slug(prompt)}-${drawing.seed}`, png);
        const { codes, seed } = drawing;
        await showPicture(drawing.image, png, report);
        if (json) await writeBeside(`${JSON.stringify({ file, prompt, seed, codes })}\n`);
      }
      saver.tell(report);
    }),
  );
}

/** Paints a drawing's codes again, if this is the model that painted it. */
async function again(words: string[], options: Options): Promise<void> {
  const { from, output, device } = options as Options & { readonly from: string };
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
    expectSamePainter(note, await painterHashes(folder), device, from);
    const tokenizer = await SeedTokenizer.fromPretrained(folder, load);
    await closing(tokenizer, async () => {
      expectCodes(note, tokenizer.codebookSize, from);
      const [image] = await tokenizer.decode([note.codes], { ...paintingOf(note), signal });
      signal.throwIfAborted();
      const file = await saver.save(`${basename(from).replace(/\.[^.]+$/, "")}-again`, await drawingPng(image!, note));
      const different = differentPixels(image!, before);
      if (different > 0)
        throw new InputError(
          `${from}: painted again${file ? ` as ${file}` : ""}, but ${different} pixels differ: another machine, or an edited file. It was painted by seedling ${note.version}, this is ${VERSION}.`,
        );
      report.note(`wrote ${file ?? "the picture"}: the same as ${from}, pixel for pixel`);
    });
  });
}

function paintingOf({ seed, painting: { steps, guidanceScale } }: DrawingNote) {
  return {
    seed,
    batch: 1,
    ...(steps === null ? {} : { steps }),
    ...(guidanceScale === null ? {} : { guidanceScale }),
  };
}

/** A file name of a prompt. */
function slug(prompt: string): string {
  const words = prompt.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  return words.join("-").slice(0, 60).replace(/-$/, "") || "drawing";
}
