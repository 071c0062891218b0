/** A run that is killed or stopped and then resumed ends with the bits of a run that was left alone. */
import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { childEnv } from "../e2e/run.ts";

const CHILD = fileURLToPath(new URL("./child.mjs", import.meta.url));
const TIMEOUT_MS = 120_000;
const LAST = 12;

let root: string;
/** Parameters, moments, averages and the stage's own memory of an uninterrupted run. */
let undisturbed: Buffer;

interface Options {
  readonly run: string;
  readonly resume?: boolean;
  readonly ballast?: number;
}
interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stderr: string;
  /** Steps that were logged. */
  readonly steps: readonly number[];
}

/** Runs the child; `onStep` may end it. */
async function train(options: Options, onStep?: (step: number, child: ChildProcess) => void): Promise<Ended> {
  const child = spawn(process.execPath, [CHILD, JSON.stringify(options)], { env: childEnv() });
  const steps: number[] = [];
  let stderr = "";
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  createInterface({ input: child.stdout }).on("line", (line) => {
    const { step } = JSON.parse(line) as { step: number };
    steps.push(step);
    onStep?.(step, child);
  });
  return new Promise((resolve) => child.on("close", (code, signal) => resolve({ code, signal, stderr, steps })));
}

const state = (run: string): Promise<Buffer> => readFile(join(run, `checkpoint-${LAST}`, "state.safetensors"));

async function expectFinished(ended: Ended): Promise<void> {
  expect(ended).toMatchObject({ code: 0, stderr: "" });
  expect(ended.steps.at(-1)).toBe(LAST);
}

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "seedling-resume-"));
  const run = join(root, "undisturbed");
  await expectFinished(await train({ run }));
  undisturbed = await state(run);
}, TIMEOUT_MS);
afterAll(() => rm(root, { recursive: true, force: true }));

test(
  "killed twice at arbitrary steps",
  async () => {
    const run = join(root, "killed");
    const first = 1 + Math.floor(Math.random() * 7);
    // Step 3 is the first that is saved; whoever has heard of the next one knows that the checkpoint is whole.
    const earliest = Math.max(first, 3) + 1;
    const second = earliest + Math.floor(Math.random() * (LAST - earliest));
    const where = `killed at steps ${first} and ${second}`;
    for (const at of [first, second]) {
      const { signal } = await train({ run, resume: at === second }, (step, child) => {
        if (step === at) child.kill("SIGKILL");
      });
      expect(signal, where).toBe("SIGKILL");
    }
    const ended = await train({ run, resume: true });
    await expectFinished(ended);
    expect(ended.steps[0], where).toBeGreaterThan(1); // it continued, it did not begin again
    expect((await state(run)).equals(undisturbed), where).toBe(true);
    const logged = (await readFile(join(run, "log.jsonl"), "utf8")).trim().split("\n");
    const each = Array.from({ length: LAST }, (_, i) => i + 1);
    expect(
      logged.map((line) => (JSON.parse(line) as { step: number }).step),
      where,
    ).toEqual(each);
  },
  TIMEOUT_MS,
);

test(
  "killed while a checkpoint is written: the half of it is not used, and swept up",
  async () => {
    const run = join(root, "half");
    const left = (): string[] => readdirSync(run).filter((name) => name.startsWith(".tmp-"));
    const ballast = 8e6;
    let watch: NodeJS.Timeout | undefined;
    const { signal } = await train({ run, ballast }, (step, child) => {
      if (step === 4)
        watch = setInterval(() => {
          if (left().length > 0) child.kill("SIGKILL");
        }, 1);
    });
    clearInterval(watch);
    expect(signal).toBe("SIGKILL");
    expect(left()).toHaveLength(1);
    expect((await readdir(run)).filter((name) => name.startsWith("checkpoint-"))).toEqual(["checkpoint-3"]);
    const ended = await train({ run, resume: true });
    await expectFinished(ended);
    expect(ended.steps[0]).toBe(4);
    expect(left()).toEqual([]);
    expect((await state(run)).equals(undisturbed)).toBe(true);
  },
  TIMEOUT_MS,
);

test(
  "Ctrl-C saves, ends with 130, and the run continues from that step",
  async () => {
    const run = join(root, "stopped");
    const { code, signal, stderr, steps } = await train({ run }, (step, child) => {
      if (step === 5) child.kill("SIGINT");
    });
    expect({ code, signal, stderr }).toEqual({ code: 130, signal: null, stderr: "interrupted\n" });
    const at = steps.at(-1)!;
    expect(at).toBeLessThan(LAST);
    expect(await readdir(run)).toContain(`checkpoint-${at}`);
    const ended = await train({ run, resume: true });
    await expectFinished(ended);
    expect(ended.steps[0]).toBe(at + 1);
    expect((await state(run)).equals(undisturbed)).toBe(true);
  },
  TIMEOUT_MS,
);
