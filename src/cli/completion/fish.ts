/** Completion for fish: a line for each command and flag. */
import { type CommandSpec, type FlagSpec, flat } from "./command-tree.ts";

export function fishScript(root: CommandSpec): string {
  const lines = [...flat(root)].flatMap((spec) => linesOf(spec));
  return `# Completion of seedling for fish. Add to ~/.config/fish/config.fish:  seedling completion fish | source
complete -c seedling -e
${lines.join("\n")}
`;
}

function linesOf(spec: CommandSpec): string[] {
  const when = `-n ${quoted(conditionOf(spec))}`;
  const { flags, commands, argument } = spec;
  return [
    ...commands.map((below) => `complete -c seedling -f ${when} -a ${below.path.at(-1)} -d ${quoted(below.about)}`),
    ...flags.map((flag) => `complete -c seedling ${when} ${namesOf(flag)}${valueSpec(flag)} -d ${quoted(flag.about)}`),
    ...(argument?.kind === "choices"
      ? [`complete -c seedling -f ${when} -a ${quoted(argument.choices.join(" "))}`]
      : []),
  ];
}

/** True where the words so far name this command and none below it. */
function conditionOf({ path, commands }: CommandSpec): string {
  if (path.length === 0) return "__fish_use_subcommand";
  const seen = path.map((name) => `__fish_seen_subcommand_from ${name}`);
  const below = commands.map((command) => command.path.at(-1)).join(" ");
  return [...seen, ...(below ? [`not __fish_seen_subcommand_from ${below}`] : [])].join("; and ");
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
