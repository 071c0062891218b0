/** What shells need to know of the command line, read off commander's tree. */
import type { Command, Option } from "commander";

/** What can follow an option, or stand as an argument. */
export type Value =
  | { readonly kind: "choices"; readonly choices: readonly string[] }
  | { readonly kind: "path" }
  /** A number or a text: there is nothing to offer. */
  | { readonly kind: "text" };

export interface FlagSpec {
  /** "-o", "--output". */
  readonly names: readonly string[];
  readonly about: string;
  /** Undefined for a flag without a value. */
  readonly value: Value | undefined;
}

export interface CommandSpec {
  /** Below the program: ["eval", "tokenizer"]; empty for the program itself. */
  readonly path: readonly string[];
  readonly about: string;
  readonly flags: readonly FlagSpec[];
  readonly argument: Value | undefined;
  readonly commands: readonly CommandSpec[];
}

const PATH = /<(\w*=)?(file|folder|path|picture|pictures|codes|model|run|recipe|sources)\b/;

/** `command` and all below it. Flags of a command whose default is another command are those of both. */
export function specOf(command: Command, path: readonly string[] = []): CommandSpec {
  const visible = command.createHelp();
  const commands = visible.visibleCommands(command).filter((below) => below.name() !== "help");
  return {
    path,
    about: command.description(),
    flags: visible.visibleOptions(command).map(flagOf),
    argument: argumentOf(command),
    commands: commands.map((below) => specOf(below, [...path, below.name()])),
  };
}

/** All commands of the tree, the program first. */
export function* flat(spec: CommandSpec): Generator<CommandSpec> {
  yield spec;
  for (const below of spec.commands) yield* flat(below);
}

function flagOf(option: Option): FlagSpec {
  const names = [option.short, option.long].filter((name) => name !== undefined);
  const takesValue = option.required || option.optional;
  return {
    names,
    about: option.description,
    value: takesValue ? valueAfter(option.flags, option.argChoices) : undefined,
  };
}

function argumentOf(command: Command): Value | undefined {
  const [first] = command.registeredArguments;
  if (!first) return undefined;
  return valueAfter(`<${first.name()}>`, first.argChoices);
}

function valueAfter(flags: string, choices: readonly string[] | undefined): Value {
  if (choices) return { kind: "choices", choices };
  return { kind: PATH.test(flags) ? "path" : "text" };
}
