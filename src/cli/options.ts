/** Options that several commands share. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { CODES_PER_IMAGE } from "../codes/index.ts";
import type { Device } from "../runtime/index.ts";
import { BUNDLED_MODEL, SeedTokenizer } from "../seed-tokenizer.ts";
import { Report } from "./report.ts";

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
      new Option("--model <folder>", "model folder, or owner/name of one on the Hub").default(
        BUNDLED_MODEL,
        "seedling-mini",
      ),
    )
    .addOption(new Option("--device <name>", "where to compute").choices(["cpu", "webgpu"]).default("cpu"))
    .option("--threads <n>", "threads of one operation, 0 for as many as cores", whole(0), 0)
    .option("-q, --quiet", "no progress, only results and problems");
}

/** Opens the model for `use` and closes it whatever happens. */
export async function withTokenizer<T>(
  options: ModelOptions,
  use: (tokenizer: SeedTokenizer) => Promise<T>,
): Promise<T> {
  const { model, device, threads } = options;
  const report = new Report(options);
  const onDownload = (done: number, total: number): void =>
    report.progress("downloading MB", done / 1e6, Math.ceil(total / 1e6));
  const tokenizer = await SeedTokenizer.fromPretrained(model, { device, threads, onDownload });
  report.clear();
  try {
    return await use(tokenizer);
  } finally {
    await tokenizer.close();
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
