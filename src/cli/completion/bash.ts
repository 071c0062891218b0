/** Completion for bash: one function whose cases are read off the command line. */
import { type CommandSpec, type FlagSpec, flat } from "./command-tree.ts";

export function bashScript(root: CommandSpec): string {
  const all = [...flat(root)];
  const paths = all.filter(({ path }) => path.length > 0);
  const steps = paths.map(({ path }) => quoted(`${path.slice(0, -1).join(" ")} ${path.at(-1)}`));
  const flags = all.flatMap((spec) => spec.flags.map((flag) => ({ spec, flag })));
  const cases = (wanted: (flag: FlagSpec) => boolean): string[] =>
    flags
      .filter(({ flag }) => wanted(flag))
      .flatMap(({ spec, flag }) => flag.names.map((name) => quoted(`${spec.path.join(" ")} ${name}`)));
  const choices = flags.flatMap(({ spec, flag: { names, value } }) =>
    value?.kind === "choices" ? [{ spec, names, words: value.choices.join(" ") }] : [],
  );
  const texts = cases(({ value }) => value?.kind === "text");
  const files = cases(({ value }) => value?.kind === "path");
  return `# Completion of seedling for bash. Add to ~/.bashrc:  eval "$(seedling completion bash)"
_seedling() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} command= word words= flags=
  if [[ $current == = ]]; then current=; elif [[ $previous == = ]]; then previous=\${COMP_WORDS[COMP_CWORD-2]}; fi
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$command $word" in
      ${steps.join(" | ")}) command=\${command:+$command }$word ;;
    esac
  done
  COMPREPLY=()
  case "$command $previous" in
${choices.map(({ spec, names, words }) => `    ${names.map((name) => quoted(`${spec.path.join(" ")} ${name}`)).join(" | ")}) words=${quoted(words)} ;;`).join("\n")}
    ${texts.join(" | ")}) compopt +o default 2>/dev/null; return ;;
    ${files.join(" | ")}) return ;;
  esac
  if [[ -z $words ]]; then
    case "$command" in
${all.map((spec) => `      ${quoted(spec.path.join(" "))}) words=${quoted(wordsOf(spec))} flags=${quoted(namesOf(spec))} ;;`).join("\n")}
    esac
    [[ $current == -* ]] && words=$flags
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
# An empty reply means names of files.
complete -o default -F _seedling seedling
`;
}

/** What can stand where no flag does; nothing for paths. */
function wordsOf({ commands, argument }: CommandSpec): string {
  const choices = argument?.kind === "choices" ? argument.choices : [];
  return [...commands.map(({ path }) => path.at(-1)), ...choices].join(" ");
}

function namesOf({ flags }: CommandSpec): string {
  return flags.flatMap(({ names }) => names).join(" ");
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
