/** Errors of the library name options as programs do (`maxTokens`); on a terminal they name the flag (`--max-tokens`). */
import type { Command } from "commander";

/** The command whose options a message may be about; set by run-program.ts. */
export const running: { command?: Command } = {};

/** Library options whose flag has another name. */
const OTHER_NAMES: Readonly<Record<string, string>> = { guidanceScale: "guidance" };

/**
 * `message` with the flags of `command` in place of option names: names in camelCase, and any name after "set".
 * "Set visionHeads." becomes "Set --vision-heads."
 */
export function withFlags(message: string, command = running.command): string {
  const flags = new Map(command?.options.map((option) => [option.attributeName(), option.long ?? option.flags]));
  const flagOf = (name: string): string | undefined => flags.get(OTHER_NAMES[name] ?? name);
  return message
    .replace(/\b([Ss]et) ([a-z]\w*)/g, (all, verb: string, name: string) => {
      const flag = flagOf(name);
      return flag ? `${verb} ${flag}` : all;
    })
    .replace(/(?<![-\w./])[a-z]+(?:[A-Z][a-z\d]*)+(?![\w./])/g, (name) => flagOf(name) ?? name);
}
