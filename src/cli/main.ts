#!/usr/bin/env node
/** The command line. Exit codes: 0 done, 1 a bug, 2 wrong usage, 3 bad input, 4 bad set-up, 130 interrupted. */
import { Command, CommanderError } from "commander";
import { SeedlingError } from "../base/errors.ts";
import { reason } from "../base/one-line.ts";
import { VERSION } from "../base/version.ts";
import { askCommand } from "./ask.ts";
import { assembleCommand } from "./assemble.ts";
import { chatCommand } from "./chat.ts";
import { dataCommand } from "./data.ts";
import { demoCommand } from "./demo.ts";
import { describeCommand } from "./describe.ts";
import { detokenizeCommand } from "./detokenize.ts";
import { disassembleCommand } from "./disassemble.ts";
import { drawCommand } from "./draw.ts";
import { evalCommand } from "./eval.ts";
import { exportCommand } from "./export.ts";
import { importCommand } from "./import.ts";
import { inspectCommand } from "./inspect.ts";
import { Interrupted } from "./interrupt.ts";
import { quietPipes } from "./output.ts";
import { parityCommand } from "./parity.ts";
import { quantizeCommand } from "./quantize.ts";
import { reconstructCommand } from "./reconstruct.ts";
import { Reported } from "./report.ts";
import { tokenizeCommand } from "./tokenize.ts";
import { trainCommand } from "./train.ts";
import { reportCommand } from "./training-report.ts";

const COMMANDS = [
  tokenizeCommand,
  detokenizeCommand,
  reconstructCommand,
  describeCommand,
  askCommand,
  drawCommand,
  chatCommand,
  demoCommand,
  dataCommand,
  trainCommand,
  reportCommand,
  assembleCommand,
  disassembleCommand,
  evalCommand,
  parityCommand,
  importCommand,
  exportCommand,
  inspectCommand,
  quantizeCommand,
];

function program(): Command {
  const root = new Command("seedling")
    .description("Pictures to 32 causal codes and back (SEED, arXiv 2307.08041).")
    .version(VERSION)
    .addHelpText(
      "after",
      `
Exit codes: 0 done, 1 a bug, 2 wrong usage, 3 bad input, 4 bad set-up, 130 interrupted.

Examples:
  seedling demo
  seedling tokenize cat.jpg
  seedling reconstruct photos/ -o sheet.png
  seedling describe cat.jpg
  seedling draw "two red apples above a blue car" -o out.png`,
    );
  for (const make of COMMANDS) root.addCommand(make());
  for (const command of [root, ...root.commands])
    command
      .option("--debug", "show where in the program an error comes from")
      .exitOverride()
      .configureOutput({ outputError: () => {} }); // printed below, like every error
  return root;
}

/** Prints what went wrong in one line; returns the exit code. */
function explain(error: unknown, debug: boolean): number {
  if (error instanceof Reported) return error.exitCode;
  if (error instanceof CommanderError) {
    if (error.exitCode === 0 || error.code === "commander.help") return error.exitCode === 0 ? 0 : 2;
    const message = error.message.replace(/^error: /, "").replace(/\s*\n\s*/g, " ");
    process.stderr.write(`seedling: ${message.replace(/\.$/, "")}. See --help.\n`);
    return 2;
  }
  const [message, code] =
    error instanceof SeedlingError || error instanceof Interrupted
      ? [error.message, error.exitCode]
      : [`${reason(error)}. This is a bug: run again with --debug and report what it prints.`, 1];
  process.stderr.write(`seedling: ${message}\n`);
  if (debug && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  return code;
}

quietPipes();
try {
  await program().parseAsync();
} catch (error) {
  process.exitCode = explain(error, process.argv.includes("--debug"));
}
