/** Runs a command of the command line: prints what went wrong in one line, and sets the exit code (`seedling --help`). */
import { CommanderError } from "commander";
import { SeedlingError } from "../base/errors.ts";
import { reason } from "../base/one-line.ts";
import { running } from "./flags.ts";
import { Interrupted, ReaderGone } from "./interrupt.ts";
import { program } from "./program.ts";
import { problemLine, Reported } from "./report.ts";
import { statusLine } from "./status-line.ts";

/** @param args what follows `seedling` */
export async function runProgram(args: readonly string[]): Promise<void> {
  try {
    const root = (await program(args[0])).hook("preAction", (_, command) => {
      running.command = command;
    });
    await root.parseAsync(args, { from: "user" });
    statusLine.end();
  } catch (error) {
    statusLine.end();
    process.exitCode = explain(error, args.includes("--debug"));
  }
}

/** Prints what went wrong in one line; returns the exit code. */
function explain(error: unknown, debug: boolean): number {
  if (error instanceof Reported || error instanceof ReaderGone) return error.exitCode;
  if (error instanceof CommanderError) {
    if (error.exitCode === 0 || error.code === "commander.help") return error.exitCode === 0 ? 0 : 2;
    const message = error.message.replace(/^error: /, "").replace(/\s*\n\s*/g, " ");
    print(`${message.replace(/\.$/, "")}. See --help.`);
    return 2;
  }
  const [message, code] =
    error instanceof SeedlingError || error instanceof Interrupted
      ? [error.message, error.exitCode]
      : [`${reason(error)}. This is a bug: run again with --debug and report what it prints.`, 1];
  print(message);
  if (debug && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  return code;
}

function print(message: string): void {
  statusLine.print(problemLine(message, statusLine));
}
