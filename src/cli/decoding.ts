/** Codes -> pictures for the commands: several lengths, batch by batch, with progress. */
import { type Command, Option } from "commander";
import { InputError } from "../base/errors.ts";
import { CODES_PER_IMAGE, type Codes, parseCodesFile } from "../codes/index.ts";
import type { RgbImage } from "../image/index.ts";
import type { SeedTokenizer } from "../image-tokenizer/seed-tokenizer.ts";
import { readFileBounded } from "../io/files.ts";
import { guidanceOption, seedOption, stepsOption } from "./command.ts";
import { keepList, positive, whole } from "./parsers.ts";
import type { Report } from "./report.ts";

export interface DecodingOptions {
  readonly seed: number;
  readonly steps?: number;
  readonly guidance?: number;
  readonly noiseScale?: number;
  readonly rest?: "learned" | "mean" | "repeat";
  /** Numbers of codes to decode from. */
  readonly keep: readonly number[];
  readonly decodeBatch?: number;
  readonly diffusion?: string;
  /** A file with the codes of one picture to lead away from. */
  readonly negativeCodes?: string;
  /** How much the image embedding is blurred; unCLIP only. */
  readonly noiseLevel?: number;
}

/** Adds --keep, --rest, --seed, --steps, --guidance, --noise-scale and --decode-batch. */
export function addDecodingOptions(command: Command, keep: readonly number[] = [CODES_PER_IMAGE]): Command {
  return command
    .addOption(
      new Option("--keep <list>", "decode the first n codes only, a picture for each n: 4,8,16,32")
        .argParser(keepList)
        .default([...keep], keep.join(",")),
    )
    .addOption(
      new Option(
        "--rest <kind>",
        "what fills in for the codes that --keep leaves out: learned vectors, the mean of all codes, or the last one kept (default: learned, if the model has them, else mean)",
      ).choices(["learned", "mean", "repeat"]),
    )
    .addOption(seedOption())
    .addOption(stepsOption())
    .addOption(guidanceOption())
    .option(
      "--noise-scale <x>",
      "factor on the noise that decoding starts from: less invents less detail (default: that of the model)",
      positive({ zero: true, most: 1 }),
    )
    .option("--decode-batch <n>", "pictures decoded at a time (default: 8, with --diffusion 1)", whole(1, 1024));
}

export interface DecodedPicture {
  /** Of the codes that it comes from. */
  readonly index: number;
  readonly keep: number;
  readonly image: RgbImage;
}

/** Each list of codes decoded once for each number in `keep`. */
export async function* decodings(
  model: Pick<SeedTokenizer, "decode" | "codebookSize">,
  codes: readonly Codes[],
  options: DecodingOptions,
  { signal, report }: { signal: AbortSignal; report: Report },
): AsyncGenerator<DecodedPicture> {
  const { seed, rest, steps, guidance: guidanceScale, keep, diffusion, noiseLevel, negativeCodes } = options;
  const { decodeBatch: batch = diffusion ? 1 : 8 } = options;
  const negative = negativeCodes === undefined ? undefined : await readNegative(negativeCodes, model.codebookSize);
  const { noiseScale } = options;
  const settings = { seed, rest, batch, signal, steps, guidanceScale, noiseScale, noiseLevel, negative };
  const total = codes.length * keep.length;
  let decoded = 0;
  report.progress("decoding", 0, total, "pictures");
  for (const n of keep)
    for (let at = 0; at < codes.length; at += batch) {
      const some = codes.slice(at, at + batch);
      const onStep = (done: number, of: number): void =>
        report.progress("decoding", decoded + (done / of) * some.length, total, "pictures");
      const images = await model.decode(some, { ...settings, keep: n, onStep });
      decoded += some.length;
      for (const [i, image] of images.entries()) yield { index: at + i, keep: n, image };
    }
}

/** Largest file of negative codes, bytes: one line of 32 codes, or a JSON object around it. */
const MAX_NEGATIVE = 1e6;

/** The codes of one picture, as text or JSON. @throws InputError for none or several. */
async function readNegative(path: string, size: number): Promise<Codes> {
  const text = new TextDecoder().decode(await readFileBounded(path, MAX_NEGATIVE));
  const pictures = parseCodesFile(text, path, size);
  const [first] = pictures;
  if (first && pictures.length === 1) return first.codes;
  throw new InputError(`${path}: expected negative codes of one picture, got ${pictures.length}. Leave one line.`);
}
