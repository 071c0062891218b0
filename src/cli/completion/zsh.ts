/** Completion for zsh: a function for each command, with descriptions. */
import { type CommandSpec, type FlagSpec, flat, type Value } from "./command-tree.ts";

export function zshScript(root: CommandSpec): string {
  return `#compdef seedling
# Completion of seedling for zsh. Add to ~/.zshrc, after compinit:  source <(seedling completion zsh)
${[...flat(root)].map(functionOf).join("\n")}
if [[ \${funcstack[1]} == _seedling ]]; then _seedling "$@"; else compdef _seedling seedling; fi
`;
}

function functionOf(spec: CommandSpec): string {
  const { path, flags, commands, argument } = spec;
  const name = ["_seedling", ...path].join("_");
  const specs = flags.map(flagSpec);
  if (commands.length === 0)
    return `${name}() {\n  _arguments -s ${[...specs, ...(argument ? [quoted(`*:argument:${actionOf(argument)}`)] : [])].join(" \\\n    ")}\n}`;
  return `${name}() {
  local state line
  local -a commands=(${commands.map((below) => quoted(`${below.path.at(-1)}:${below.about}`)).join("\n    ")})
  _arguments -C ${[...specs, "'1:command:->command'", "'*::argument:->arguments'"].join(" \\\n    ")}
  case $state in
    command) _describe command commands ;;
    arguments)
      case $line[1] in
${commands.map((below) => `        ${below.path.at(-1)}) ${["_seedling", ...below.path].join("_")} ;;`).join("\n")}
      esac ;;
  esac
}`;
}

/** '(-o --output)'{-o,--output=}'[what it does]:value:_files': with =, the value is the next word or follows a = sign. */
function flagSpec({ names, about, value }: FlagSpec): string {
  const text = `[${about.replace(/[[\]\\:]/g, "\\$&")}]${value ? `:value:${actionOf(value)}` : ""}`;
  const written = names.map((name) => (value && name.startsWith("--") ? `${name}=` : name));
  const [first = "", ...others] = written;
  if (others.length === 0) return quoted(`${first}${text}`);
  return `${quoted(`(${names.join(" ")})`)}{${written.join(",")}}${quoted(text)}`;
}

function actionOf(value: Value): string {
  if (value.kind === "choices") return `(${value.choices.join(" ")})`;
  return value.kind === "path" ? "_files" : " ";
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
