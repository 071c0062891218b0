/** Options of the commands that use a language model: describe, ask, draw and chat. */
import { type Command, Option } from "commander";
import { type ReplyOptions, SeedLanguageModel } from "../language/index.ts";
import { seedOption } from "./command.ts";
import { addModelOptions, closing, downloaded, findModel, type ModelOptions, opening } from "./options.ts";
import { positive, whole } from "./parsers.ts";
import { Report } from "./report.ts";

export interface LanguageOptions extends ModelOptions {
  readonly lm?: string;
  readonly adapter?: string;
  readonly lmBits?: "4" | "8";
}

export const lmOption = (): Option =>
  new Option(
    "--lm <path>",
    "the base language model: a Hugging Face folder, a .gguf file, or owner/name/file.gguf on the Hub (default: as the adapter records, or lm in the model folder)",
  );

export const adapterOption = (): Option =>
  new Option(
    "--adapter <folder>",
    "the adapter that teaches it images, a PEFT folder (default: lm-adapter in the model folder)",
  );

/** Adds --lm, --adapter and --lm-bits to what every model takes. */
export function addLanguageOptions(command: Command): Command {
  return addModelOptions(command)
    .addOption(lmOption())
    .addOption(adapterOption())
    .addOption(
      new Option("--lm-bits <n>", "round the language model's weights to n bits: faster, less memory").choices([
        "4",
        "8",
      ]),
    );
}

/** Opens a model that sees and draws, and closes it whatever happens. */
export async function withLanguageModel<T>(
  options: LanguageOptions,
  use: (model: SeedLanguageModel) => Promise<T>,
): Promise<T> {
  const { folder, load } = await findModel(options);
  const { lm, adapter, lmBits } = options;
  const report = new Report(options);
  const bits = lmBits && (lmBits === "4" ? 4 : 8);
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
    .addOption(seedOption())
    .option(
      "--temperature <x>",
      "0 always takes the likeliest token, 1 samples as the model is",
      positive({ zero: true }),
      temperature,
    )
    .option(
      "--top-p <x>",
      "sample from the likeliest tokens that together reach this probability",
      positive({ most: 1 }),
      topP,
    )
    .option("--top-k <n>", "sample from the n likeliest tokens, 0 for all", whole(0), 0)
    .option(
      "--min-p <x>",
      "sample from tokens at least this share as likely as the likeliest",
      positive({ zero: true, most: 1 }),
      0,
    )
    .option("--repetition-penalty <x>", "above 1 makes repeated tokens less likely", positive(), repetitionPenalty)
    .option("--beams <n>", "above 1: beam search for the most likely reply, without sampling", whole(1, 64), 1)
    .option("--truncate", "drop the oldest part of what is too long for the model");
}

/** The same for the library. */
export function samplingOf(options: SamplingOptions): ReplyOptions {
  const { temperature, topP, topK, minP, repetitionPenalty, seed, beams, truncate } = options;
  return { temperature, topP, topK, minP, repetitionPenalty, seed, beams, truncate };
}

/** A model's text without characters that control a terminal. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (c) => (c === "\n" || c === "\t" ? c : ""));
}

/** The same on one line. */
export function oneLine(text: string): string {
  return printable(text).replace(/\s+/g, " ").trim();
}
