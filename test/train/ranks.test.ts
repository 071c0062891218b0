/** What ranks agree on while they train, on a stage so small that it costs nothing. */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Communicator } from "../../src/distributed/communicator.ts";
import { input, normal } from "../../src/graph/index.ts";
import { linear, mse } from "../../src/nn/index.ts";
import { Runtime } from "../../src/runtime/index.ts";
import { type LoopOptions, type LoopResult, type Stage, trainLoop } from "../../src/training/index.ts";
import { rowsOfPart } from "../../src/training/loop/shares.ts";
import { memoryRanks } from "./memory-ranks.ts";

let root: string;
let runtime: Runtime;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "seedling-ranks-"));
  runtime = new Runtime({ threads: 1 });
});
afterAll(async () => {
  await runtime.close();
  await rm(root, { recursive: true });
});

const D = 4;

/** A line through noisy points; k-means and the like are stood for by a count of the rows that it has seen. */
function line(own: Partial<Stage> = {}): Stage {
  let seen = new Float32Array(1);
  return {
    name: "line",
    learns: ["out"],
    build(p, B) {
      const x = input("x", [B, D]);
      return {
        loss: mse(linear(p.at("out"), x, 1, { init: normal(1) }), x.sum(-1, true)),
        metrics: { points: x.mul(1) },
      };
    },
    batch(part, rng) {
      const x = rowsOfPart(rng.fillNormal(new Float32Array(part.of * D)) as Float32Array<ArrayBuffer>, part);
      return { x: { shape: [part.rows.length, D], data: x } };
    },
    prepare: async (training) => training.writeOne("param", "out.bias", Float32Array.of(5)),
    async afterStep(_, { points }) {
      seen[0]! += points!.data[1]! + points!.shape[0]!;
      return {};
    },
    state: () => new Map([["seen", seen]]),
    restore(state) {
      seen = state.get("seen") as typeof seen;
    },
    ...own,
  };
}

function options(run: string, more: Partial<LoopOptions> = {}): LoopOptions {
  return {
    ...{ run: join(root, run), runtime, seed: 1, batch: 12, accumulate: 2, weightDecay: 0.1 },
    schedule: { steps: 6, warmup: 0, peak: 0.05, floor: 0.05 },
    optimizer: { beta1: 0.9, beta2: 0.99, eps: 1e-8, clipNorm: 1, averageDecay: 0.9 },
    ...{ logEvery: 1, saveEvery: 2, evaluateEvery: 3, identity: { recipe: "line" }, resume: false },
    ...more,
  };
}

/** Every rank its own stage and options; errors as their messages. */
function onRanks(
  size: number,
  of: (ranks: Communicator) => { readonly stage?: Stage; readonly options: LoopOptions },
): Promise<(LoopResult | string)[]> {
  return Promise.all(
    memoryRanks(size).map((ranks) => {
      const { stage = line(), options } = of(ranks);
      return trainLoop(stage, { ...options, ranks }).catch((error: Error) => error.message);
    }),
  );
}

const flat = (result: LoopResult | string | undefined): number[] =>
  typeof result === "object" ? [...result.weights.values()].flatMap((values) => [...values]) : [];

function expectClose(a: LoopResult | string | undefined, b: LoopResult | string | undefined): void {
  expect(flat(a)).toHaveLength(5);
  for (const [i, value] of flat(b).entries()) expect(value).toBeCloseTo(flat(a)[i]!, 5);
}

const state = (run: string, step: number): Promise<Buffer> =>
  readFile(join(root, run, `checkpoint-${step}`, "state.safetensors"));

test("three ranks are one process: weights, what the stage keeps, one log, evaluations by the first", async () => {
  const alone = await trainLoop(line(), options("alone"));
  const evaluated: number[] = [];
  const all = await onRanks(3, (ranks) => ({
    stage: line({ evaluate: async (_, step) => ({ at: evaluated.push(100 * ranks.rank + step) }) }),
    options: options("three"),
  }));
  for (const one of all) expectClose(alone, one);
  expect(flat(all[1])).toEqual(flat(all[0]));
  expect(evaluated).toEqual([3, 6]);
  const log = (await readFile(join(root, "three", "log.jsonl"), "utf8")).trim().split("\n");
  expect(log.map((text) => JSON.parse(text)).filter(({ loss }) => loss !== undefined)).toHaveLength(6);
  const rows = (bytes: Buffer): number => bytes.readFloatLE(bytes.length - 4); // the last tensor is the stage's own
  expect(rows(await state("three", 6))).toBe(rows(await state("alone", 6)));
});

test("a signal that reaches one rank stops all after the same step, and they continue with the same bits", async () => {
  const stop = new AbortController();
  const stopped = await onRanks(2, ({ rank }) => ({
    options: options("stopped", {
      signal: rank === 1 ? stop.signal : undefined,
      onLine: ({ step }) => rank === 0 && step === 3 && stop.abort(),
    }),
  }));
  const steps = stopped.map((one) => (typeof one === "object" ? one.step : one));
  expect(steps).toEqual([steps[0], steps[0]]);
  expect(steps[0]).toBeLessThan(6);
  expect(await readdir(join(root, "stopped"))).toContain(`checkpoint-${steps[0]}`);
  const resumed = await onRanks(2, () => ({ options: options("stopped", { resume: true }) }));
  const whole = await onRanks(2, () => ({ options: options("whole") }));
  expect(flat(resumed[0])).toEqual(flat(whole[0]));
  expect((await state("stopped", 6)).equals(await state("whole", 6))).toBe(true);
});

test("a run continues with another number of ranks, the same but for rounding", async () => {
  const stop = new AbortController();
  await trainLoop(line(), options("more", { signal: stop.signal, onLine: ({ step }) => step === 2 && stop.abort() }));
  const [first] = await onRanks(3, () => ({ options: options("more", { resume: true }) }));
  expectClose(await trainLoop(line(), options("never")), first);
});

test("ranks that differ are refused on all of them", async () => {
  const identity = ({ rank }: Communicator) => ({ recipe: rank === 1 ? "other" : "line" });
  const recipes = await onRanks(2, (ranks) => ({ options: options("recipes", { identity: identity(ranks) }) }));
  for (const message of recipes)
    expect(message).toMatch(/^line: expected the same recipe on all ranks, got another on rank 1 \(/);

  // The folder of the second one is not shared: it has no checkpoint.
  await trainLoop(line(), options("folder"));
  const folders = await onRanks(2, ({ rank }) => ({ options: options(rank ? "none" : "folder", { resume: true }) }));
  for (const message of folders) expect(message).toMatch(/expected the same checkpoint to resume from on all ranks/);

  // A rank whose memory or processor errs is found when a checkpoint is due, and the checkpoint is not written.
  const drift = await onRanks(2, ({ rank }) => ({
    stage: line({
      async afterStep(step, _, training) {
        if (rank === 1 && step === 3) await training.writeOne("param", "out.bias", Float32Array.of(0));
        return {};
      },
    }),
    options: options("drift"),
  }));
  for (const message of drift) expect(message).toMatch(/^line, step 4: expected the same weights on all ranks/);
  expect(await readdir(join(root, "drift"))).toEqual(["checkpoint-2", "log.jsonl"]);
});

test("a batch that cannot be divided is refused", async () => {
  const [message] = await onRanks(5, () => ({ options: options("five") }));
  expect(message).toBe(
    "line: batch: expected a multiple of 5 (ranks times pieces), got 12. Change batch, pieces or the number of ranks.",
  );
});
