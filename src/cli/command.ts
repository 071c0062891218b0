/** What all commands share: the same options under the same names, the same look of --help. */
import { type Command, Option } from "commander";
import { real, whole } from "./parsers.ts";

/** Every command has it. */
export const quietOption = (): Option => new Option("-q, --quiet", "print only results and problems");

/** Every command has it too. */
export const debugOption = (): Option => new Option("--debug", "show where in the program an error comes from");

/** Wherever something is reported. `what` is an example of an object, or what one describes. */
export const jsonOption = (what: string): Option => new Option("--json", `one JSON object a line: ${what}`);

/** Every command that computes has it. */
export const deviceOption = (): Option =>
  new Option("--device <name>", "where to compute").choices(["cpu", "webgpu"]).default("cpu");

/** --output of a command that writes text or JSON lines. */
export const outputOption = (what: string): Option =>
  new Option("-o, --output <file>", `${what}, written whole or not at all (default: standard output)`);

export const threadsOption = (): Option =>
  new Option("--threads <n>", "threads of one operation, 0 for as many as there are cores")
    .argParser(whole(0))
    .default(0);

/** Of what scores pictures. */
export const judgeRunOption = (): Option =>
  new Option(
    "--judge-run <folder>",
    "a trained judge, which names what pictures show: the folder of stage judge, such as runs/judge/judge",
  );

/** Of the commands that sample. */
export const seedOption = (): Option =>
  new Option("--seed <n>", "seed of all randomness; the same seed gives the same result")
    .argParser(whole(0))
    .default(0);

/** Of the commands that decode pictures. */
export const stepsOption = (): Option =>
  new Option("--steps <n>", "steps of the diffusion model (default: the model's)").argParser(whole(1, 10_000));

export const guidanceOption = (): Option =>
  new Option(
    "--guidance <x>",
    "how closely the diffusion model follows the codes, 1 for no guidance (default: the model's)",
  ).argParser(real);

/** Of the commands that make scenes. */
export const nounsOption = (): Option =>
  new Option("--nouns <n>", "the first n everyday nouns, 0 for the full table").argParser(whole(0)).default(48);

export const portOption = (port: number): Option =>
  new Option("--port <n>", "port, 0 for any that is free").argParser(whole(0, 65_535)).default(port);

/** How a model folder is stored. */
export const dtypeOption = (choices: readonly string[]): Option =>
  new Option("--dtype <name>", "how weights are stored").choices(choices);

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
