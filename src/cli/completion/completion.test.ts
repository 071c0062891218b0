/** The script for bash is run by bash; those for zsh and fish where they are installed. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
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
])("bash, %s", (line, words) => {
  expect(offered(tree(), line)).toEqual(words);
});

test.skipIf(!has("bash"))("bash knows every command and flag of the program", async () => {
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

test.skipIf(!has("zsh"))("zsh reads the whole script", async () => {
  const file = join(folder, "_seedling");
  writeFileSync(file, zshScript(specOf(await program())));
  const script = `autoload -U compinit && compinit -D; source ${file}; whence -w _seedling _seedling_eval_tokenizer`;
  const { stdout, stderr } = spawnSync("zsh", ["-f", "-c", script], { encoding: "utf8" });
  expect({ stdout, stderr }).toEqual({
    stdout: "_seedling: function\n_seedling_eval_tokenizer: function\n",
    stderr: "",
  });
});

test.skipIf(!has("fish"))("fish offers commands, flags and values", () => {
  const file = join(folder, "seedling.fish");
  writeFileSync(file, fishScript(specOf(tree())));
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
});
