/** The command on a folder of made-up arms: both files, and what it says. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { paperCommand } from "./paper.ts";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "seedling-paper-"));
});
afterAll(() => rm(root, { recursive: true }));

const run = (...args: string[]): Promise<unknown> => paperCommand().parseAsync([...args, "-q"], { from: "user" });

test("writes Markdown, and HTML next to it; the same arms give the same files", async () => {
  for (const [arm, right] of [
    ["causal-codes", 100],
    ["bilateral-codes", 40],
  ] as const) {
    const results = { "5,000 prompts": { "whole pictures": { right, count: 100 } } };
    const own = { format: "seedling-arm-1", table: "causality", arm, seed: 1, command: "seedling train x", results };
    await writeFile(join(root, `${arm}.json`), JSON.stringify(own));
  }
  const output = join(root, "paper.md");
  await run("--arms", root, "-o", output);
  const [text, page] = await Promise.all([readFile(output, "utf8"), readFile(join(root, "paper.html"), "utf8")]);
  expect(text).toContain("| 2.500 (1.966 to 3.178) | 100 %: reached | reproduced |");
  expect(page).toContain("<small>1.966 to 3.178</small>");
  await run("--arms", root, "-o", output, "--html", join(root, "other.html"));
  expect(await readFile(output, "utf8")).toBe(text);
  expect(await readFile(join(root, "other.html"), "utf8")).toBe(page);
});

test("a folder without arms gives tables that say so", async () => {
  await run("--arms", join(root, "none"), "-o", join(root, "empty.md"));
  expect(await readFile(join(root, "empty.md"), "utf8")).toContain("not run: 11.");
});
