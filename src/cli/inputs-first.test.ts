/** Inputs are checked before a model is opened: here none could be. */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { program } from "./program.ts";

let folder: string;
const cwd = process.cwd();
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "seedling-inputs-"));
  await mkdir(join(folder, "empty"));
});
afterEach(() => {
  process.chdir(cwd);
  vi.restoreAllMocks();
});
afterAll(() => rm(folder, { recursive: true }));

test.each([
  ["tokenize none.png", "none.png: no such file or folder. Check the path."],
  ["tokenize empty", "empty: expected pictures in this folder, found none."],
  ["describe *.gif", "*.gif: expected files that match, found none."],
  ["ask none.png what?", "none.png: no such file or folder. Check the path."],
  ["reconstruct empty", "empty: expected pictures in this folder, found none."],
  ["detokenize none.txt", "none.txt: no such file or folder. Check the path."],
  ["index none -o index", "none: no such file or folder. Check the path."],
  ["search index --picture none.png", "none.png: no such file or folder. Check the path."],
  ["demo none", "none: no such file or folder. Check the path."],
])("%s", async (line, message) => {
  const lines: unknown[] = [];
  vi.spyOn(process.stderr, "write").mockImplementation((text) => lines.push(text) > 0);
  process.chdir(folder);
  const [command = "", ...args] = line.split(" ");
  const root = await program(command);
  const error: unknown = await root
    .parseAsync([command, ...args, "--model", "nowhere"], { from: "user" })
    .catch((e) => e);
  expect(error).toMatchObject({ exitCode: 3 });
  // Reported already, or thrown to be.
  expect(`${lines.join("")}${(error as Error).message}`).toContain(message);
});
