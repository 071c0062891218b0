/** All commands speak with one voice: the same options, texts and examples, in --help and in the documents. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Command, Option } from "commander";
import { describe, expect, test } from "vitest";
import { program, walk } from "./program.ts";

const root = await program();
const commands = [...walk(root)].filter((command) => command !== root);
const leaves = commands.filter(({ commands }) => commands.length === 0);

/** "eval tokenizer". */
function pathOf(command: Command): string {
  const names: string[] = [];
  for (let at: Command | null = command; at && at !== root; at = at.parent) names.unshift(at.name());
  return names.join(" ");
}

/** All of --help, examples too. */
function helpOf(command: Command): string {
  let text = "";
  const { outputError } = command.configureOutput();
  command.configureOutput({ outputError, writeOut: (part) => (text += part) });
  command.outputHelp();
  return text;
}

const visible = (command: Command): readonly Option[] => command.createHelp().visibleOptions(command);

/** Options that mean something of its own in each command, and say what. */
const OWN = ["--output", "--json", "--run", "--count", "--keep", "--batch", "--max-tokens", "--drawings"];
/** The same in one command only. */
const OWN_HERE = [
  "tokenize --packed",
  "detokenize --packed",
  "serve --model",
  "serve --diffusion",
  "search --until",
  "eval tokenizer --sheet",
  "draw --from",
  "train --from",
  "train --until",
  "train --model",
  "train --adapter",
  "train --base",
  "train --steps",
  "assemble --adapter",
  "assemble --base",
  "quantize --lm",
];
/** Names of people and things that begin with a capital letter. */
const CAPITAL = /^(JSON|HTML|HTTP|PNG|SEED|SmolLM2|SHA|API)\b/;

describe.each(commands.map((command) => [pathOf(command), command] as const))("%s", (path, command) => {
  test("has a summary of one line", () => {
    const summary = command.description();
    expect(summary).toMatch(/^[a-z]/);
    expect(summary).not.toMatch(/\.$/);
    expect(summary.length).toBeLessThanOrEqual(110);
  });

  test("has examples, and their options exist", () => {
    const [, examples = ""] = helpOf(command).split("\nExamples:\n");
    const lines = examples.trim().split("\n");
    expect(lines.some((line) => line.includes(`seedling ${path}`))).toBe(true);
    for (const line of lines) checkLine(line.trim());
  });

  test("describes its options in the same way as the others", () => {
    const options = visible(command);
    for (const { long, description } of options) {
      expect(description, long).not.toBe("");
      if (!CAPITAL.test(description)) expect(description, long).toMatch(/^[a-z0-9"{-]/);
      expect(description, long).not.toMatch(/\.$/);
    }
    for (const argument of command.registeredArguments)
      expect(argument.description, argument.name()).toMatch(/^[a-z0-9-]/);
  });
});

test.each(leaves.map((command) => [pathOf(command), command] as const))(
  "%s has -q, --debug and --help",
  (_, command) => {
    const flags = visible(command).map(({ flags }) => flags);
    expect(flags).toEqual(expect.arrayContaining(["-q, --quiet", "--debug", "-h, --help"]));
  },
);

test("every command but those that only talk or serve has --json", () => {
  const without = leaves.filter((command) => !visible(command).some(({ long }) => long === "--json"));
  expect(without.map(pathOf)).toEqual(["demo", "serve", "eval arm", "completion"]);
});

test("an option of the same name has the same letter, value and text everywhere", () => {
  const seen = new Map<string, { readonly where: string; readonly flags: string; readonly text: string }>();
  const different: string[] = [];
  for (const command of leaves)
    for (const { long, flags, description } of visible(command)) {
      if (OWN.includes(long!) || OWN_HERE.includes(`${pathOf(command)} ${long}`)) continue;
      const text = description.replace(/ \(default: .*/, "");
      const first = seen.get(long!);
      if (!first) seen.set(long!, { where: pathOf(command), flags, text });
      else if (first.text !== text || first.flags.replace(/<.*/, "") !== flags.replace(/<.*/, ""))
        different.push(`${long}: "${first.text}" (${first.where}), "${text}" (${pathOf(command)})`);
    }
  expect(different).toEqual([]);
});

/** A line of shell: what begins with "seedling" must name a command and options that exist. */
function checkLine(line: string): void {
  const parts = line.replace(/#.*$/, "").split(/&&|\||;|\$\(/);
  for (const part of parts) {
    const words = part
      .trim()
      .replace(/^(npx |\.\/|source <\(|eval "\$\()*/, "")
      .split(/\s+/);
    if (words.shift() !== "seedling") continue;
    let command = root;
    while (words[0] !== undefined) {
      const below = command.commands.find((one) => one.name() === words[0]);
      if (!below) break;
      command = below;
      words.shift();
    }
    if (command === root && words.length > 0 && !words[0]!.startsWith("-") && !/[.|<[(]/.test(words[0]!))
      expect.soft(words[0], `a command in: ${line}`).toBe("one of seedling's");
    const fallback = command.commands.find((one) => one.name() === "tokenizer"); // what eval runs by default
    for (const word of words) {
      const [flag] = /^--[a-z][a-z-]*|^-[a-z]$/.exec(word) ?? [];
      if (!flag) continue;
      const known = [command, ...(fallback ? [fallback] : [])].some((one) =>
        visible(one).some(({ short, long }) => short === flag || long === flag),
      );
      expect.soft(known, `${flag} in: ${line}`).toBe(true);
    }
  }
}

const documents = ["README.md", "CONTRIBUTING.md", ...readdirSync("docs").map((name) => join("docs", name))].filter(
  (path) => path.endsWith(".md") && !path.endsWith("log.md"),
);

test.each(documents)("commands in %s exist", (path) => {
  const text = readFileSync(path, "utf8");
  const blocks = [...text.matchAll(/^```(?:sh|bash|console)?\n(.*?)^```/gms)].map(([, block]) => block!);
  const inline = [...text.matchAll(/`((?:npx )?seedling [^`]+)`/g)].map(([, code]) => code!);
  for (const line of blocks.flatMap((block) => block.replaceAll("\\\n", " ").split("\n"))) checkLine(line.trim());
  const known = new Set(root.commands.map((command) => command.name()));
  for (const line of inline) if (known.has(line.split(" ")[1]!)) checkLine(line);
});
