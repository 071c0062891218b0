/** Completion for fish: a line for each command and flag, and a function that tells which command is being typed. */
import { type CommandSpec, type FlagSpec, flat } from "./command-tree.ts";

export function fishScript(root: CommandSpec): string {
  const all = [...flat(root)];
  const steps = all.filter(({ path }) => path.length > 0).map(({ path }) => quoted(` ${path.join(" ")}`));
  return `# Completion of seedling for fish. Add to ~/.config/fish/config.fish:  seedling completion fish | source
function __seedling_command_is
    set -l command
    for word in (commandline -opc)[2..]
        switch "$command $word"
            case ${steps.join(" ")}
                set command "$command $word"
        end
    end
    test "$command" = "$argv"
end
complete -c seedling -e
${all.flatMap(linesOf).join("\n")}
`;
}

function linesOf(spec: CommandSpec): string[] {
  const { path, flags, commands, argument } = spec;
  const when = `-n ${quoted(`__seedling_command_is ${quoted(path.map((name) => ` ${name}`).join(""))}`)}`;
  return [
    ...commands.map((below) => `complete -c seedling -f ${when} -a ${below.path.at(-1)} -d ${quoted(below.about)}`),
    ...flags.map((flag) => `complete -c seedling ${when} ${namesOf(flag)}${valueSpec(flag)} -d ${quoted(flag.about)}`),
    ...(argument?.kind === "choices"
      ? [`complete -c seedling -f ${when} -a ${quoted(argument.choices.join(" "))}`]
      : []),
  ];
}

function namesOf({ names }: FlagSpec): string {
  return names.map((name) => (name.startsWith("--") ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`)).join(" ");
}

function valueSpec({ value }: FlagSpec): string {
  if (!value) return "";
  if (value.kind === "path") return " -r -F";
  return value.kind === "choices" ? ` -x -a ${quoted(value.choices.join(" "))}` : " -x";
}

function quoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
