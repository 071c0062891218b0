/** What commands that write files print with --json: one object a line, and nothing else on standard output. */
import { mkdir, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Command } from "commander";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { indexCommand } from "./index-pictures.ts";
import { paperCommand } from "./paper.ts";
import { reportCommand } from "./training-report.ts";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "seedling-json-"));
});
afterAll(() => rm(root, { recursive: true }));

async function objects(command: Command, ...args: string[]): Promise<unknown[]> {
  let printed = "";
  const spy = vi.spyOn(process.stdout, "write").mockImplementation(((chunk: string, done?: () => void) => {
    printed += chunk;
    done?.();
    return true;
  }) as typeof process.stdout.write);
  await command.parseAsync([...args, "--json", "-q"], { from: "user" }).finally(() => spy.mockRestore());
  return printed
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
}

const bytesOf = async (file: string): Promise<number> => (await stat(file)).size;

test("paper: a line for every claim, and for both files", async () => {
  const output = join(root, "paper.md");
  const html = join(root, "paper.html");
  const lines = await objects(paperCommand(), "--arms", join(root, "none"), "-o", output);
  expect(lines[0]).toEqual({ claim: "causal-mask", verdict: "not run", goal: "not run" });
  expect(lines.slice(-2)).toEqual([
    { file: output, bytes: await bytesOf(output) },
    { file: html, bytes: await bytesOf(html) },
  ]);
});

test("report: the page", async () => {
  const run = join(root, "run");
  await mkdir(join(run, "vae"), { recursive: true });
  await writeFile(join(run, "vae", "log.jsonl"), '{"step":1,"loss":2.5}\n');
  const file = join(run, "report.html");
  expect(await objects(reportCommand(), run)).toEqual([{ file, bytes: await bytesOf(file) }]);
});

test("index: how many pictures were computed", async () => {
  const folder = join(root, "index");
  const index = () => objects(indexCommand(), "examples/turtle.png", "-o", folder, "--threads", "1");
  expect(await index()).toEqual([{ folder, pictures: 1, new: 1, changed: 0, unchanged: 0, removed: 0 }]);
  expect(await index()).toEqual([{ folder, pictures: 1, new: 0, changed: 0, unchanged: 1, removed: 0 }]);
});
