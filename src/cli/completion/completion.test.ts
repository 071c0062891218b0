/** Each shell runs its script, where that shell is installed. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Argument, Command, Option } from "commander";
import { afterAll, expect, test } from "vitest";
import { program } from "../program.ts";
import { bashScript } from "./bash.ts";
import { specOf } from "./command-tree.ts";
import { fishScript } from "./fish.ts";
import { zshScript } from "./zsh.ts";

const folder = mkdtempSync(join(tmpdir(), "seedling-completion-"));
afterAll(() => rmSync(folder, { recursive: true }));

const has = (shell: string): boolean => spawnSync(shell, ["-c", "exit 0"]).status === 0;

/** A name that says why a test is skipped. */
const needing = (shell: string): string => `${shell}${has(shell) ? "" : ` (skipped: ${shell} is not installed)`}`;

function tree(): Command {
  const paint = new Command("paint")
    .description("makes a picture: it's [new]")
    .argument("<codes...>")
    .option("-o, --output <file>", "where")
    .option("--steps <n>", "how many")
    .addOption(new Option("--device <name>").choices(["cpu", "webgpu"]))
    .addOption(new Option("--secret").hideHelp());
  const all = new Command("all").description("everything").addArgument(new Argument("[part]").choices(["one", "two"]));
  const score = new Command("score").description("scores").addCommand(all).addCommand(new Command("some"));
  return new Command("seedling").addCommand(paint).addCommand(score).option("--debug", "show more");
}

/** What bash offers for a line whose last word is being typed. */
function offered(root: Command, line: string): string[] {
  const words = line.split(" ");
  const script = `${bashScript(specOf(root))}
compopt() { echo "[no files]"; }
COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${words.length - 1}
_seedling; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = spawnSync("bash", ["-c", script], { encoding: "utf8" });
  expect(stderr).toBe("");
  return stdout.split("\n").filter(Boolean);
}

test.skipIf(!has("bash")).each([
  ["seedling ", ["paint", "score"]],
  ["seedling pa", ["paint"]],
  ["seedling --", ["--debug", "--help"]],
  ["seedling paint --", ["--output", "--steps", "--device", "--help"]],
  ["seedling paint codes.txt --de", ["--device"]],
  ["seedling paint --device ", ["cpu", "webgpu"]],
  ["seedling paint --device = w", ["webgpu"]],
  ["seedling paint --steps ", ["[no files]"]],
  ["seedling paint -o ", []], // an empty reply means files
  ["seedling paint ", []],
  ["seedling score ", ["all", "some"]],
  ["seedling score all ", ["one", "two"]],
  ["seedling score all t", ["two"]],
])(`${needing("bash")}, %s`, (line, words) => {
  expect(offered(tree(), line)).toEqual(words);
});

test.skipIf(!has("bash"))(`${needing("bash")} knows every command and flag of the program`, async () => {
  const root = await program();
  const visible = root.createHelp();
  const commands = visible.visibleCommands(root).map((command) => command.name());
  expect([...offered(root, "seedling "), "help"].sort()).toEqual(commands.sort());
  for (const command of root.commands.filter(({ commands }) => commands.length === 0)) {
    const flags = visible.visibleOptions(command).flatMap(({ short, long }) => [short, long].filter(Boolean));
    expect(offered(root, `seedling ${command.name()} -`)).toEqual(flags);
  }
  expect(offered(root, "seedling eval tokenizer --device ")).toEqual(["cpu", "webgpu"]);
});

/** What zsh offers for lines that are typed in a terminal of its own, Tab at their end. */
function offeredByZsh(root: Command, lines: readonly string[]): string[][] {
  const [home, place] = [join(folder, "zsh"), join(folder, "place")];
  for (const made of [home, place]) mkdirSync(made, { recursive: true });
  for (const name of ["photo.png", "two words.txt"]) writeFileSync(join(place, name), "");
  const [script, log] = [join(home, "_seedling"), join(home, "log")];
  writeFileSync(script, zshScript(specOf(root)));
  // compadd is what adds a match; with -O, -A and -D it only fills arrays.
  writeFileSync(
    join(home, ".zshrc"),
    `PROMPT=
autoload -U compinit; compinit -D -u
source ${script}
compadd() {
  if [[ \${@[1,(i)(-|--)]} == *-(O|A|D)\\ * ]]; then builtin compadd "$@"; return; fi
  local -a found; builtin compadd -A found "$@"
  (( $#found )) && print -rl -- $found >> ${log}
  builtin compadd "$@"
}
next-line() { zle kill-whole-line; print END >> ${log} }
zle -N next-line; bindkey '^X' next-line
unsetopt auto_menu auto_list list_beep
`,
  );
  writeFileSync(log, "");
  const drive = `zmodload zsh/zpty
export ZDOTDIR=${home}
cd ${place}
zpty shell zsh -d -i
integer done=0
for line in "$@"; do
  zpty -w -n shell "$line"$'\t\x18'
  (( done++ ))
  for try in {1..600}; do
    (( $(grep -c '^END$' ${log}) >= done )) && break
    sleep 0.05; zpty -r -t shell text
  done
done
zpty -d shell`;
  const { stderr } = spawnSync("zsh", ["-f", "-c", drive, "zsh", ...lines], { encoding: "utf8" });
  expect(stderr).toBe("");
  const parts = readFileSync(log, "utf8").split("END\n").slice(0, -1);
  return parts.map((part) => part.split("\n").filter(Boolean).sort());
}

test.skipIf(!has("zsh"))(`${needing("zsh")} offers commands, flags, values and files`, () => {
  const expected: readonly [line: string, words: readonly string[]][] = [
    ["seedling ", ["paint", "score"]],
    ["seedling pa", ["paint"]],
    ["seedling paint score --de", ["--device"]],
    ["seedling paint --device ", ["cpu", "webgpu"]],
    ["seedling paint --device=w", ["webgpu"]],
    ["seedling paint --steps ", []],
    ["seedling paint -o ph", ["photo.png"]],
    ["seedling paint --output=", ["photo.png", "two\\ words.txt"]],
    ["seedling paint tw", ["two\\ words.txt"]],
    ["seedling score ", ["all", "some"]],
    ["seedling score all t", ["two"]],
  ];
  const lines = expected.map(([line]) => line);
  const offers = offeredByZsh(tree(), lines);
  expect(lines.map((line, i) => [line, offers[i]])).toEqual(expected);
});

test.skipIf(!has("zsh"))(`${needing("zsh")} reads the whole script`, async () => {
  const file = join(folder, "_seedling");
  writeFileSync(file, zshScript(specOf(await program())));
  const script = `autoload -U compinit && compinit -D; source ${file}; whence -w _seedling _seedling_eval_tokenizer`;
  const { stdout, stderr } = spawnSync("zsh", ["-f", "-c", script], { encoding: "utf8" });
  expect({ stdout, stderr }).toEqual({
    stdout: "_seedling: function\n_seedling_eval_tokenizer: function\n",
    stderr: "",
  });
});

test.skipIf(!has("fish"))(`${needing("fish")} offers commands, flags and values`, async () => {
  const file = join(folder, "seedling.fish");
  const write = (root: Command): void => writeFileSync(file, fishScript(specOf(root)));
  write(tree());
  const complete = (line: string): string[] => {
    const script = `source ${file}; complete -C '${line}'`;
    const { stdout, stderr } = spawnSync("fish", ["--no-config", "-c", script], { encoding: "utf8", cwd: folder });
    expect(stderr).toBe("");
    return stdout.split("\n").filter(Boolean);
  };
  expect(complete("seedling ")).toEqual(
    expect.arrayContaining(["paint\tmakes a picture: it's [new]", "score\tscores"]),
  );
  expect(complete("seedling paint --device ")).toEqual(["cpu", "webgpu"]);
  expect(complete("seedling score a")).toEqual(["all\teverything"]);
  expect(complete("seedling score all t")).toEqual(["two"]);
  expect(complete("seedling paint --device=w")).toEqual(["--device=webgpu"]);
  // A value or a file may have the name of a command.
  expect(complete("seedling paint score --de")).toEqual(["--device"]);
  expect(complete("seedling paint score al")).toEqual([]);
  write(await program());
  expect(complete("seedling tokenize train --shar")).toEqual([expect.stringMatching(/^--shards\t/)]);
  expect(complete("seedling tokenize train --resu")).toEqual([]);
  expect(complete("seedling eval tokenizer --device ").map((line) => line.split("\t")[0])).toEqual(["cpu", "webgpu"]);
});
