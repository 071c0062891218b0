/** Options of the commands that speak: describe, ask, draw and chat. */
import { type Command, Option } from "commander";
import { UsageError } from "../base/errors.ts";
import { isOfficialFolder } from "../image-tokenizer/official/index.ts";
import { type ReplyOptions, SeedLanguageModel } from "../language/index.ts";
import { addModelOptions, closing, downloaded, findModel, type ModelOptions, opening, real, whole } from "./options.ts";
import { Report } from "./report.ts";

export interface LanguageOptions extends ModelOptions {
  readonly lm?: string;
  readonly adapter?: string;
  readonly lmBits?: "4" | "8";
}

/** Adds --lm, --adapter and --lm-bits to what every model takes. */
export function addLanguageOptions(command: Command): Command {
  return addModelOptions(command)
    .option(
      "--lm <path>",
      "the base language model: a Hugging Face folder, a .gguf file, or owner/name/file.gguf on the Hub (default: what the adapter records there, else lm in the model)",
    )
    .option("--adapter <folder>", "what makes it see and draw, a PEFT folder (default: lm-adapter in the model)")
    .addOption(
      new Option(
        "--lm-bits <n>",
        "round the language model's weights to n bits when it is opened: faster, less memory",
      ).choices(["4", "8"]),
    );
}

/** Opens a model that sees and draws, and closes it whatever happens. */
export async function withLanguageModel<T>(
  options: LanguageOptions,
  use: (model: SeedLanguageModel) => Promise<T>,
): Promise<T> {
  const { folder, load } = await findModel(options);
  if (await isOfficialFolder(folder))
    throw new UsageError(`${folder}: expected a model that paints itself, got imported SEED weights. Name another.`);
  const { lm, adapter, lmBits } = options;
  const bits = lmBits === undefined ? undefined : lmBits === "4" ? 4 : 8;
  const report = new Report(options);
  const onDownload = downloaded(report);
  const model = SeedLanguageModel.fromPretrained(folder, { ...load, lm, adapter, lmBits: bits, onDownload });
  return closing(await opening(options, model, report), use);
}

export interface SamplingOptions {
  readonly temperature?: number;
  readonly topK: number;
  readonly topP?: number;
  readonly minP: number;
  readonly repetitionPenalty: number;
  readonly seed: number;
  readonly beams: number;
  readonly truncate?: boolean;
}

/** Adds how replies are chosen, with these defaults. */
export function addSamplingOptions(
  command: Command,
  {
    temperature,
    topP,
    repetitionPenalty = 1,
  }: { readonly temperature?: number; readonly topP?: number; readonly repetitionPenalty?: number },
): Command {
  return command
    .option("--seed <n>", "where chance comes from; the same seed gives the same result", whole(0), 0)
    .option("--temperature <x>", "0 takes the most likely word always, 1 as the model is", real, temperature)
    .option("--top-p <x>", "only the likeliest words that together reach this share", real, topP)
    .option("--top-k <n>", "only the n likeliest words, 0 for all", whole(0), 0)
    .option("--min-p <x>", "only words at least this share as likely as the likeliest", real, 0)
    .option(
      "--repetition-penalty <x>",
      "above 1 makes words less likely that are there already",
      real,
      repetitionPenalty,
    )
    .option("--beams <n>", "above 1: the most likely of n whole replies, in place of chance", whole(1, 64), 1)
    .option("--truncate", "cut what is too long for the model, the oldest words first");
}

/** The same for the library. */
export function samplingOf(options: SamplingOptions): ReplyOptions {
  const { temperature, topK, topP, minP, repetitionPenalty, seed, beams, truncate = false } = options;
  return {
    ...(temperature === undefined ? {} : { temperature }),
    ...(topP === undefined ? {} : { topP }),
    topK,
    minP,
    repetitionPenalty,
    seed,
    beams,
    truncate,
  };
}

/** What a model says, without characters that steer a terminal. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (c) => (c === "\n" || c === "\t" ? c : ""));
}

/** The same on one line. */
export function oneLine(text: string): string {
  return printable(text).replace(/\s+/g, " ").trim();
}
