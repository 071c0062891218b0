/** The training loop on stages so small that what should come out is known. */
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Rng } from "../../src/base/rng.ts";
import { filled, input, normal } from "../../src/graph/index.ts";
import { linear, mse } from "../../src/nn/index.ts";
import { Runtime, type Values } from "../../src/runtime/index.ts";
import { type LogLine, type LoopOptions, type LoopResult, type Stage, trainLoop } from "../../src/training/index.ts";
import { listCheckpoints } from "../../src/training/loop/checkpoint.ts";

let root: string;
let runtime: Runtime;
let runs = 0;
let lines: LogLine[] = [];
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "seedling-loop-"));
  runtime = new Runtime({ threads: 1 });
});
afterAll(async () => {
  await runtime.close();
  await rm(root, { recursive: true });
});
beforeEach(() => {
  lines = [];
});

function train(stage: Stage, options: Partial<LoopOptions> & { steps: number; rate?: number }): Promise<LoopResult> {
  const { steps, rate = 0.05, ...rest } = options;
  return trainLoop(stage, {
    run: join(root, String(runs++)),
    runtime,
    seed: 1,
    batch: 8,
    accumulate: 1,
    schedule: { steps, warmup: 0, peak: rate, floor: rate },
    weightDecay: 0,
    optimizer: { beta1: 0.9, beta2: 0.99, eps: 1e-8, clipNorm: Number.POSITIVE_INFINITY, averageDecay: 0 },
    logEvery: 1,
    saveEvery: 1000,
    evaluateEvery: 1000,
    identity: { recipe: "test" },
    resume: false,
    onLine: (line) => lines.push(line),
    ...rest,
  });
}

const [D, H] = [5, 16];

/** Two layers learn a function of noise; `of` says which example stands at which place. */
function regression(of: (place: number) => number = (place) => place): Stage {
  return {
    name: "regression",
    learns: ["in", "out"],
    build(p, B) {
      const y = linear(p.at("out"), linear(p.at("in"), input("x", [B, D]), H, { init: normal(0.5) }).gelu(), 1);
      return { loss: mse(y, input("target", [B, 1])) };
    },
    batch({ examples }) {
      const B = examples.length;
      const x = new Float32Array(B * D);
      const target = new Float32Array(B);
      for (const [b, example] of examples.entries()) {
        const row = new Rng(of(example)).fillNormal(x.subarray(b * D, (b + 1) * D));
        target[b] = Math.sin(row[0]! + row[1]! * row[2]!);
      }
      return { x: { shape: [B, D], data: x }, target: { shape: [B, 1], data: target } };
    },
  };
}

/** The loss is w times the mean of x: its gradient is that mean, whatever w is. */
function slope(x: (micro: number) => number = () => 1): Stage {
  return {
    name: "slope",
    learns: ["w"],
    build: (p, B) => ({
      loss: p
        .get("w", [1], filled(2))
        .mul(input("x", [B]))
        .mean(),
    }),
    batch: ({ examples: { length: B, 0: first = 0 }, of }) => ({
      x: { shape: [B], data: new Float32Array(B).fill(x(Math.floor(first / of))) },
    }),
  };
}

const losses = (): number[] => lines.flatMap(({ loss }) => (loss === undefined ? [] : [Number(loss)]));

describe("what is learned", () => {
  test("one batch is learned by heart", async () => {
    await train(
      regression((place) => place % 8),
      { steps: 200, rate: 0.01 },
    );
    expect(losses()[0]).toBeGreaterThan(0.2);
    expect(losses().at(-1)).toBeLessThan(1e-3);
  });

  test("k micro-batches of b are one batch of k b", async () => {
    const weights = async (batch: number, accumulate: number): Promise<number[]> => {
      const result = await train(regression(), { steps: 5, batch, accumulate });
      return [...result.weights.values()].flatMap((w) => [...w]);
    };
    const [whole, parts] = [await weights(32, 1), await weights(8, 4)];
    expect(parts).toHaveLength(whole.length);
    for (const [i, w] of whole.entries()) expect(parts[i], `weight ${i}`).toBeCloseTo(w, 4);
  });

  test("the same seed gives the same bits, another one others", async () => {
    const [a, b, c] = [
      await train(regression(), { steps: 4 }),
      await train(regression(), { steps: 4 }),
      await train(regression(), { steps: 4, seed: 2 }),
    ];
    expect(b.weights).toEqual(a.weights);
    expect(c.weights).not.toEqual(a.weights);
  });

  test("the average of weights is what comes out", async () => {
    const optimizer = { beta1: 0.9, beta2: 0.99, eps: 0, clipNorm: 10, averageDecay: 0.5 };
    const { weights } = await train(slope(), { steps: 10, rate: 0.1, optimizer });
    // A gradient that is always 1 makes every step as long as the rate.
    let average = 2;
    for (let t = 1; t <= 10; t++) {
      const decay = Math.min(0.5, (1 + t) / (10 + t));
      average = decay * average + (1 - decay) * (2 - 0.1 * t);
    }
    expect(weights.get("w")![0]).toBeCloseTo(average, 5);
  });
});

describe("what goes wrong", () => {
  test("a loss that is not a number ends the run at once and keeps the last checkpoint", async () => {
    const run = join(root, "nan");
    const broken = slope((micro) => (micro >= 6 ? Number.NaN : 1));
    await expect(train(broken, { run, steps: 12, saveEvery: 2, logEvery: 5 })).rejects.toThrow(
      expect.objectContaining({
        message: "slope: expected a finite loss, got NaN at step 7; checkpoint-6 is kept. Lower peakRate.",
        exitCode: 3,
      }),
    );
    expect(await listCheckpoints(run)).toEqual([4, 6]);
    const { step, weights } = await train(slope(), { run, steps: 12, resume: true });
    expect(step).toBe(12);
    expect(weights.get("w")![0]).toBeCloseTo(2 - 12 * 0.05, 5);
  });

  test("before the first checkpoint it says so", async () => {
    await expect(
      train(
        slope(() => Number.NaN),
        { steps: 2 },
      ),
    ).rejects.toThrow("slope: expected a finite loss, got NaN at step 1; no checkpoint was saved yet. Lower peakRate.");
  });

  test("a gradient that is not finite is reported and its step is skipped", async () => {
    const cusp: Stage = {
      ...slope(),
      build: (p, B) => ({
        loss: p
          .get("w", [1], filled(0))
          .abs()
          .sqrt()
          .mul(input("x", [B]))
          .mean(),
      }),
    };
    const { weights } = await train(cusp, { steps: 1 });
    expect(weights.get("w")![0]).toBe(0);
    expect(lines[0]!.warning).toMatch(/^gradient norm (NaN|Infinity): the step was skipped$/);
  });

  test("the run folder of another recipe is refused", async () => {
    const run = join(root, "other");
    await train(slope(), { run, steps: 2 });
    await expect(train(slope(), { run, steps: 2, identity: { recipe: "changed" }, resume: true })).rejects.toThrow(
      /other: expected a run with the same recipe, got one with another\. Remove the folder/,
    );
  });
});

describe("a disk that refuses", () => {
  test("a run folder that is a file, or in a file, is one line and exit code 4", async () => {
    const file = join(root, "file");
    await writeFile(file, "");
    await expect(train(slope(), { run: file, steps: 1 })).rejects.toMatchObject({
      message: `${file}: expected a folder, got a file. Choose another place.`,
      exitCode: 4,
    });
    await expect(train(slope(), { run: join(file, "run"), steps: 1 })).rejects.toMatchObject({ exitCode: 4 });
  });

  test.runIf(existsSync("/dev/full"))(
    "a full one ends the run in one line, and what was saved can be resumed",
    async () => {
      const run = join(root, "full");
      const log = join(run, "log.jsonl");
      await mkdir(run);
      await symlink("/dev/full", log);
      await expect(train(regression(), { run, steps: 6, logEvery: 3, saveEvery: 2 })).rejects.toMatchObject({
        message: `${log}: the disk is full; nothing was written. Free some space or choose another place.`,
        exitCode: 4,
      });
      expect(await listCheckpoints(run)).toEqual([2]);
      await rm(log);
      const { weights } = await train(regression(), { run, steps: 6, resume: true });
      expect(weights).toEqual((await train(regression(), { steps: 6 })).weights);
    },
  );

  test("a log that cannot be read is not written anew", async () => {
    const run = join(root, "log");
    await train(slope(), { run, steps: 2 });
    await rm(join(run, "log.jsonl"));
    await mkdir(join(run, "log.jsonl"));
    await expect(train(slope(), { run, steps: 2, resume: true })).rejects.toMatchObject({
      message: expect.stringMatching(/log\.jsonl: expected a file, got a folder\. Name a file\.$/),
      exitCode: 4,
    });
  });
});

describe("checkpoints", () => {
  test("one that lost a file is passed over for the one before", async () => {
    const run = join(root, "damaged");
    const whole = await train(regression(), { run, steps: 9, saveEvery: 3 });
    await rm(join(run, "checkpoint-9", "state.json"));
    expect((await train(regression(), { run, steps: 9, saveEvery: 3, resume: true })).weights).toEqual(whole.weights);
    expect(lines.filter(({ step }) => step === 7)).toHaveLength(2);
  });

  test("of an earlier run in the same folder go when the new run has one", async () => {
    const run = join(root, "again");
    await train(slope(), { run, steps: 8, saveEvery: 4 });
    expect(await listCheckpoints(run)).toEqual([4, 8]);
    await train(slope(), { run, steps: 3, saveEvery: 2 });
    expect(await listCheckpoints(run)).toEqual([2, 3]);
  });

  test("a run that is stopped saves where it is and continues with the same bits", async () => {
    const run = join(root, "stopped");
    const whole = await train(regression(), { steps: 9 });
    const stop = new AbortController();
    const onLine = ({ step }: LogLine): void => {
      if (step === 4) stop.abort();
    };
    const stopped = await train(regression(), { run, steps: 9, signal: stop.signal, onLine });
    expect(stopped).toMatchObject({ step: 4, finished: false });
    const { weights, finished } = await train(regression(), { run, steps: 9, resume: true });
    expect(finished).toBe(true);
    expect(weights).toEqual(whole.weights);
    const logged = (await readFile(join(run, "log.jsonl"), "utf8")).trim().split("\n");
    expect(logged.map((line) => (JSON.parse(line) as LogLine).step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });
});

test("a run that ended between its last checkpoint and its evaluation is evaluated when it is resumed", async () => {
  const run = join(root, "unevaluated");
  let ends = true;
  let measured = 0;
  const evaluated: number[] = [];
  const stage: Stage = {
    ...slope(),
    measured: () => new Map([["deviation", Float32Array.of(measured)]]),
    async evaluate(weights, step) {
      if (step === 4 && ends) throw new Error("killed");
      evaluated.push(step);
      measured = 10 * step;
      return { w: weights.get("w")?.[0] ?? Number.NaN };
    },
  };
  const options = { run, steps: 4, rate: 0.1, saveEvery: 2, evaluateEvery: 3 };
  await expect(train(stage, options)).rejects.toThrow("killed");
  expect(await listCheckpoints(run)).toContain(4);
  expect(evaluated).toEqual([3]);
  ends = false;
  measured = 0; // another process
  lines = [];
  const { finished, scores, weights, shapes } = await train(stage, { ...options, resume: true });
  expect({ finished, step: evaluated.at(-1), evaluations: evaluated.length }).toEqual({
    ...{ finished: true, step: 4, evaluations: 2 },
  });
  expect(scores.w).toBeCloseTo(1.6, 5);
  expect(lines).toEqual([{ step: 4, "validation/w": scores.w }]);
  // What is measured comes from that evaluation, and is stored with its shape.
  expect([...(weights.get("deviation") ?? [])]).toEqual([40]);
  expect(shapes.get("deviation")).toEqual([1]);
});

test("the event loop runs while a step is computed", async () => {
  const size = 512;
  const heavy: Stage = {
    name: "heavy",
    learns: ["w"],
    build(p) {
      const w = p.get("w", [size, size], normal(0.01));
      let x = input("x", [size, size]);
      for (let i = 0; i < 12; i++) x = x.matmul(w);
      return { loss: x.square().mean() };
    },
    batch: (): Values => ({ x: { shape: [size, size], data: new Float32Array(size * size).fill(0.1) } }),
  };
  let ticks = 0;
  const timer = setInterval(() => {
    ticks++;
  }, 2);
  const begun = performance.now();
  await train(heavy, { steps: 4 });
  clearInterval(timer);
  expect(performance.now() - begun).toBeGreaterThan(100); // else it shows nothing
  expect(ticks).toBeGreaterThan(30);
});
