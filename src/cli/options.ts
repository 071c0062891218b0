/** Options that several commands share. */
import { type Command, Option } from "commander";
import { UsageError } from "../base/errors.ts";
import type { SamplerName } from "../image-decoder/diffusion-decoder.ts";
import type { Capability } from "../image-tokenizer/capabilities.ts";
import { BUNDLED_MODEL, type LoadOptions, SeedTokenizer } from "../image-tokenizer/seed-tokenizer.ts";
import { modelFolder } from "../io/hub/index.ts";
import type { Device } from "../runtime/index.ts";
import { deviceOption, quietOption, threadsOption } from "./command.ts";
import { whole } from "./parsers.ts";
import { Report } from "./report.ts";

/** What --help and progress call the model that comes with the package, rather than its whole path. */
const SHORT_NAME = "seedling-mini";

export interface ModelOptions {
  readonly model: string;
  readonly device: Device;
  readonly threads: number;
  readonly quiet?: boolean;
}

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

/** Adds --diffusion, --scheduler, --negative-codes and --noise-level. */
export function addDiffusionOptions(command: Command): Command {
  const samplers: SamplerName[] = ["ddim", "pndm", "euler", "dpm-solver"];
  return command
    .option(
      "--diffusion <model>",
      "the image decoder in place of the model's own: a folder in diffusers' layout, or owner/name on the Hub",
    )
    .addOption(
      new Option("--scheduler <name>", "sampler of the image decoder (default: that of its folder)").choices(samplers),
    )
    .option("--negative-codes <file>", "move away from this picture's codes (default: none)")
    .option("--noise-level <n>", "noise on the image embedding, 0 to 999, with unCLIP (default: 0)", whole(0, 999));
}

/**
 * Opens the model that the options name, with the image decoder of --diffusion if there is one, and closes it whatever
 * happens.
 * @throws UsageError if it cannot do what the command needs, before any work
 */
export async function withModel<T>(
  options: ModelOptions & DiffusionOptions,
  needs: Capability,
  use: (model: SeedTokenizer) => Promise<T>,
): Promise<T> {
  const { folder, load } = await findModel(options);
  const report = new Report(options);
  const { diffusion: decoder, scheduler } = options;
  const settings = { ...load, decoder, scheduler, onDownload: downloaded(report) };
  return closing(await opening(options, SeedTokenizer.fromPretrained(folder, settings), report), async (model) => {
    if (needs === "decode" && decoder === undefined && !model.capabilities.has(needs))
      throw new UsageError(
        `${folder}: expected a model with an image decoder, got one without. Name one: --diffusion.`,
      );
    model.expect(needs);
    return use(model);
  });
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
