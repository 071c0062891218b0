/** What all commands share: the same options under the same names, the same look of --help. */
import { type Command, Option } from "commander";

/** Every command has it. */
export const quietOption = (): Option => new Option("-q, --quiet", "print only results and problems");

/** Every command has it too. */
export const debugOption = (): Option => new Option("--debug", "show where in the program an error comes from");

/** Wherever something is reported. `what` is an example of an object, or what one describes. */
export const jsonOption = (what: string): Option => new Option("--json", `one JSON object a line: ${what}`);

/** Every command that computes has it. */
export const deviceOption = (): Option =>
  new Option("--device <name>", "where to compute").choices(["cpu", "webgpu"]).default("cpu");

/** What --output of a command that writes text or JSON lines says. */
export const outputOption = (what: string): Option =>
  new Option("-o, --output <file>", `${what}, written whole or not at all (default: standard output)`);

/** [command line, comment]. The comment may be left out. */
export type Example = readonly [line: string, comment?: string];

/** What every command ends with: --quiet if it has none yet, remarks, and examples with their comments aligned. */
export function withExamples(command: Command, examples: readonly Example[], remarks?: string): Command {
  addQuiet(command);
  const width = Math.max(...examples.map(([line, comment]) => (comment === undefined ? 0 : line.length)));
  const lines = examples.map(([line, comment]) =>
    comment === undefined ? `  ${line}` : `  ${line.padEnd(width)}  # ${comment}`,
  );
  return command.addHelpText("after", `${remarks ? `\n${remarks}\n` : ""}\nExamples:\n${lines.join("\n")}`);
}

/** Not for a command that only holds others. */
export function addQuiet(command: Command): void {
  const has = command.options.some(({ long }) => long === "--quiet");
  if (!has && command.commands.length === 0) command.addOption(quietOption());
}
