/** A reader that closes the pipe, such as `head -1`, while the command computes. */
import { spawn } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { childEnv, finished, MAIN } from "./run.ts";

const TIMEOUT = 300_000;
const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const PICTURES = here("../../data/own-pictures");

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "seedling-pipes-"));
});
afterAll(() => rm(root, { recursive: true }));

/** Starts a script and closes its standard output `afterMs` after the first bytes. */
async function head(afterMs: number, script: string, ...args: string[]) {
  const child = spawn(process.execPath, [script, ...args], { cwd: root, env: childEnv() });
  child.stdout.once("data", () => setTimeout(() => child.stdout.destroy(), afterMs));
  const signal = new Promise((resolve) => child.on("exit", (_, name) => resolve(name)));
  const { code, stderr } = await finished(child);
  return { code, stderr, signal: await signal };
}

test(
  "ends the command in order, without a word and without a crash, whenever it happens",
  async () => {
    for (let run = 0; run < 3; run++) {
      const ended = await head(run * 24, MAIN, "tokenize", PICTURES, "--batch", "1", "--json", "--quiet");
      expect(ended, `run ${run}`).toEqual({ code: 0, stderr: "", signal: null });
    }
  },
  TIMEOUT,
);

test(
  "ends a training with a checkpoint",
  async () => {
    for (let run = 0; run < 2; run++) {
      const args = [here("../recipes/chain"), "--until", "vae", "--steps", "100000", "--threads", "1", "--run"];
      const ended = await head(run * 40, here("./train-child.mjs"), ...args, `run-${run}`);
      expect(ended).toMatchObject({ code: 0, signal: null });
      expect(ended.stderr).toMatch(/^saved vae at step \d+ of 100000$/m);
      expect(ended.stderr).not.toMatch(/terminate called|Aborted|core dumped|bug/);
      expect((await readdir(join(root, `run-${run}`, "vae"))).join()).toContain("checkpoint-");
    }
  },
  TIMEOUT,
);
