/** Options that several commands share. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { UsageError } from "../base/errors.ts";
import { CODES_PER_IMAGE } from "../codes/index.ts";
import type { SamplerName } from "../image-decoder/stable-diffusion.ts";
import { isOfficialFolder } from "../image-tokenizer/official/index.ts";
import { OfficialSeed } from "../image-tokenizer/official-seed.ts";
import { BUNDLED_MODEL, type LoadOptions, SeedTokenizer } from "../image-tokenizer/seed-tokenizer.ts";
import { modelFolder } from "../io/hub/index.ts";
import type { Device } from "../runtime/index.ts";
import { deviceOption, quietOption } from "./command.ts";
import { openOfficialPainter } from "./official-painter.ts";
import { Report } from "./report.ts";

/** What --help and progress call the model that comes with the package, rather than its whole path. */
const SHORT_NAME = "seedling-mini";

export interface ModelOptions {
  readonly model: string;
  readonly device: Device;
  readonly threads: number;
  readonly quiet?: boolean;
}

export const threadsOption = (): Option =>
  new Option("--threads <n>", "threads of one operation, 0 for as many as there are cores")
    .argParser(whole(0))
    .default(0);

/** Adds --model, --device, --threads and --quiet. */
export function addModelOptions(command: Command): Command {
  return command
    .addOption(
      new Option("--model <folder>", "a model folder, or owner/name of one on the Hub").default(
        BUNDLED_MODEL,
        SHORT_NAME,
      ),
    )
    .addOption(deviceOption())
    .addOption(threadsOption())
    .addOption(quietOption());
}

export interface DiffusionOptions {
  readonly diffusion?: string;
  readonly scheduler?: SamplerName;
  readonly negativeCodes?: string;
  readonly noiseLevel?: number;
}

/** Adds --diffusion, and what goes with it only: --scheduler, --negative-codes and --noise-level. */
export function addDiffusionOptions(command: Command): Command {
  const samplers: SamplerName[] = ["ddim", "pndm", "euler", "dpm-solver"];
  return command
    .option(
      "--diffusion <model>",
      "paints with imported weights: a folder in diffusers layout, or owner/name on the Hub",
    )
    .addOption(new Option("--scheduler <name>", "its sampler (default: what the folder says)").choices(samplers))
    .option("--negative-codes <file>", "lead away from this picture's codes (default: from nothing in particular)")
    .option("--noise-level <n>", "blur what the codes say, 0 to 999, with unCLIP (default: 0)", whole(0, 999));
}

/** What turns pictures into codes: a model of ours, or an imported one. */
export type Encoder = Pick<SeedTokenizer, "prepare" | "encode" | "close">;

/** Opens a model that must turn pictures into codes, and closes it whatever happens. */
export async function withEncoder<T>(options: ModelOptions, use: (encoder: Encoder) => Promise<T>): Promise<T> {
  const { folder, load } = await findModel(options);
  const kind = (await isOfficialFolder(folder)) ? OfficialSeed : SeedTokenizer;
  const opened: Promise<Encoder> = kind.fromPretrained(folder, load);
  return closing(await opening(options, opened), use);
}

/** What turns codes into pictures too: a model of ours, or an imported one with a Stable Diffusion. */
export type Painter = Pick<SeedTokenizer, "codebookSize" | "prepare" | "encode" | "decode" | "close">;

/** Opens a model that must paint, and closes it whatever happens. */
export async function withPainter<T>(
  options: ModelOptions & DiffusionOptions,
  use: (painter: Painter) => Promise<T>,
): Promise<T> {
  const { diffusion, scheduler, negativeCodes, noiseLevel } = options;
  const own: Omit<DiffusionOptions, "diffusion"> = { scheduler, negativeCodes, noiseLevel };
  if (diffusion === undefined) {
    const [given] = Object.entries(own).find(([, value]) => value !== undefined) ?? [];
    if (given === undefined) return withTokenizer(options, use);
    throw new UsageError(`${given}: expected diffusion with it, got none. Set diffusion to a model, or leave it out.`);
  }
  const { folder, load } = await findModel(options);
  if (!(await isOfficialFolder(folder)))
    throw new UsageError(`${folder}: expected imported SEED weights for --diffusion, got a model that paints itself.`);
  const report = new Report(options);
  const opened = openOfficialPainter(folder, { diffusion, ...own }, { ...load, onDownload: downloaded(report) });
  return closing(await opening(options, opened, report), use);
}

/** Opens a model of ours, which also paints, and closes it whatever happens. */
export async function withTokenizer<T>(
  options: ModelOptions,
  use: (tokenizer: SeedTokenizer) => Promise<T>,
): Promise<T> {
  const { folder, load } = await findModel(options);
  if (await isOfficialFolder(folder))
    throw new UsageError(
      `${folder}: expected a model that paints, got imported SEED weights. detokenize and reconstruct take --diffusion.`,
    );
  return closing(await opening(options, SeedTokenizer.fromPretrained(folder, load)), use);
}

/** The model as a person names it. */
export function shownModel({ model }: Pick<ModelOptions, "model">): string {
  return model === BUNDLED_MODEL ? SHORT_NAME : model;
}

/** Says that the model is being opened while it is. */
export async function opening<T>(options: ModelOptions, model: Promise<T>, report = new Report(options)): Promise<T> {
  report.doing(`opening ${shownModel(options)}`);
  try {
    return await model;
  } finally {
    report.clear();
  }
}

/** Shows how far a download is. */
export function downloaded(report: Report): (doneBytes: number, totalBytes: number) => void {
  return (done, total) => report.progress("downloading", done, total, "bytes");
}

/** The model's folder, downloaded if need be. */
export async function findModel({
  model,
  device,
  threads,
  quiet,
}: ModelOptions): Promise<{ folder: string; load: LoadOptions }> {
  const report = new Report({ quiet });
  const folder = await modelFolder(model, { onProgress: downloaded(report) });
  report.clear();
  return { folder, load: { device, threads } };
}

/** Closes the model whatever happens. */
export async function closing<M extends { close(): Promise<void> }, T>(
  model: M,
  use: (model: M) => Promise<T>,
): Promise<T> {
  try {
    return await use(model);
  } finally {
    await model.close();
  }
}

/** Parser of a whole number from `min`. */
export function whole(min: number, max = 2 ** 32 - 1): (text: string) => number {
  return (text) => {
    const n = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
    if (n >= min && n <= max) return n;
    throw new InvalidArgumentError(`Expected a whole number from ${min} to ${max}.`);
  };
}

/** Parser of "4,8,16". */
export function keepList(text: string): number[] {
  return [...new Set(text.split(",").map((part) => whole(1, CODES_PER_IMAGE)(part.trim())))];
}

/** Parser of any number. */
export function real(text: string): number {
  const x = text.trim() === "" ? Number.NaN : Number(text);
  if (Number.isFinite(x)) return x;
  throw new InvalidArgumentError("Expected a number.");
}
