/**
 * `seedling completion`: a script that completes commands, flags and their values, for the shell that reads it. It holds
 * everything itself, so that a press of Tab starts no Node.
 */
import { Argument, Command } from "commander";
import { withExamples } from "../command.ts";
import { writeStdout } from "../output.ts";
import { bashScript } from "./bash.ts";
import { type CommandSpec, specOf } from "./command-tree.ts";
import { fishScript } from "./fish.ts";
import { zshScript } from "./zsh.ts";

const SCRIPTS = { bash: bashScript, zsh: zshScript, fish: fishScript } as const satisfies Record<
  string,
  (root: CommandSpec) => string
>;
type Shell = keyof typeof SCRIPTS;

export function completionCommand(): Command {
  const command = new Command("completion")
    .description("print a script that completes commands and options in your shell")
    .addArgument(new Argument("<shell>", "which shell").choices(Object.keys(SCRIPTS)));
  return withExamples(command, [
    ['eval "$(seedling completion bash)"', "in ~/.bashrc"],
    ["source <(seedling completion zsh)", "in ~/.zshrc, after compinit"],
    ["seedling completion fish | source", "in ~/.config/fish/config.fish"],
  ]).action(async (shell: Shell, _, command: Command) => {
    let root = command;
    while (root.parent) root = root.parent;
    await writeStdout(SCRIPTS[shell](specOf(root)));
  });
}
