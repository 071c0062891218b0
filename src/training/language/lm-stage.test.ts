import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Rng } from "../../base/rng.ts";
import { Params } from "../../graph/index.ts";
import { HIDDEN_KEY } from "../../models/causal-lm.ts";
import { SHARED_ROWS } from "../../models/code-rows.ts";
import type { LlamaConfig } from "../../models/llama.ts";
import { mapWeights, Runtime } from "../../runtime/index.ts";
import { type LoopResult, trainLoop } from "../loop/loop.ts";
import { partOf } from "../loop/shares.ts";
import { inOnePiece } from "../loop/whole-batch.ts";
import { adapterPaths, feedsOf, type LmStageOptions, lmStage, roomFor, type Sequences } from "./lm-stage.ts";

const config: LlamaConfig = {
  kind: "llama",
  vocabulary: 12,
  width: 16,
  tied: true,
  layers: 2,
  heads: 2,
  kvHeads: 1,
  headWidth: 8,
  intermediate: 32,
  context: 16,
  eps: 1e-5,
  ropeBase: 10_000,
  attentionBias: false,
  mlpBias: false,
};
const lora = { rank: 4, alpha: 8, dropout: 0.1, targets: ["q_proj", "v_proj", "down_proj"] };

/** Counting on from some number below `limit`, with `step`. */
const counting = (step: number, limit: number): Sequences => ({
  identity: `counting ${step}`,
  get: (index) => {
    const ids = Array.from({ length: 8 }, (_, i) => (index + i * step) % limit);
    return { ids, learned: ids.map(() => true) };
  },
});

let run: string;
let runtime: Runtime;
beforeAll(async () => {
  run = await mkdtemp(join(tmpdir(), "seedling-lm-"));
  runtime = new Runtime({ threads: 1 });
});
afterAll(async () => {
  await runtime.close();
  await rm(run, { recursive: true });
});

async function train(options: Partial<LmStageOptions>): Promise<LoopResult & { nats: number }> {
  const sequences = counting(1, 12);
  const stage = lmStage({
    name: "counting",
    config,
    length: 10,
    train: sequences,
    validation: sequences,
    validationCount: 24,
    runtime,
    ...options,
  });
  let nats = Number.NaN;
  const result = await trainLoop(stage, {
    run: join(run, String(Math.random())),
    runtime,
    identity: { recipe: "test" },
    seed: 1,
    batch: 8,
    accumulate: 1,
    schedule: { steps: 120, warmup: 5, peak: 0.02, floor: 0 },
    weightDecay: 0,
    optimizer: { beta1: 0.9, beta2: 0.98, eps: 1e-8, clipNorm: 1, averageDecay: 0 },
    logEvery: 1000,
    saveEvery: 1000,
    evaluateEvery: 1000,
    resume: false,
    onLine: (line) => {
      if (line["validation/nats"] !== undefined) nats = Number(line["validation/nats"]);
    },
  });
  return { ...result, nats };
}

test("a label is the next id where that one is learned; padding is seen by nobody; room is kept", () => {
  const sequences = [
    { ids: [5, 6, 7], learned: [true, false, true] },
    { ids: [1, 2, 3, 4, 5], learned: [true, true, true, true, true] },
  ];
  const { ids, positions, keyPositions, indices, labels } = feedsOf(sequences, 4);
  expect([...ids!.data]).toEqual([5, 6, 7, 0, 1, 2, 3, 4]);
  expect([...positions!.data]).toEqual([0, 1, 2, 0, 0, 1, 2, 3]);
  expect([...keyPositions!.data]).toEqual([0, 1, 2, HIDDEN_KEY, 0, 1, 2, 3]);
  expect([...indices!.data]).toEqual([1, 4, 5, 6, 7, 0, 0, 0]);
  expect([...labels!.data]).toEqual([7, 2, 3, 4, 5, -100, -100, -100]);
  const few = feedsOf(sequences, 4, 3);
  expect([...few.indices!.data]).toEqual([1, 4, 5]);
  expect([...few.labels!.data]).toEqual([7, 2, 3]);
});

test("room is made for the fullest of the first batches, and a tenth more", async () => {
  const marked = (count: (index: number) => number): Sequences => ({
    identity: "marked",
    get: (index) => ({
      ids: Array.from({ length: 21 }, () => 1),
      learned: Array.from({ length: 21 }, (_, i) => i > 0 && i <= count(index)),
    }),
  });
  expect(
    await roomFor(
      marked(() => 10),
      4,
      20,
    ),
  ).toBe(11);
  expect(
    await roomFor(
      marked((index) => (index % 4 === 0 ? 16 : 4)),
      4,
      20,
    ),
  ).toBe(8); // 7 in the mean
  expect(
    await roomFor(
      marked(() => 20),
      4,
      16,
    ),
  ).toBe(16);
});

test("a margin makes what is not of the label's kind count for more, in training only", async () => {
  const added: LlamaConfig = { ...config, addedTokens: 6 }; // four codes and the marks
  const losses = new Map<number, number>();
  const measured = new Map<number, number>();
  for (const kindMargin of [0, 3]) {
    const sequences: Sequences = {
      identity: "two codes and a word",
      get: () => ({ ids: [3, 12, 13, 4, 16], learned: [false, true, true, true, false] }),
    };
    const stage = lmStage({
      name: "margin",
      config: added,
      length: 6,
      train: sequences,
      validation: sequences,
      validationCount: 1,
      runtime,
      kindMargin,
    });
    const p = new Params();
    const { loss } = stage.build(p, 1, inOnePiece);
    // All weights are 0 but for norms, so all tokens are equally likely.
    const zero = new Map(
      [...p.declared()].map(([path, t]) => [
        path,
        new Float32Array(t.shape.reduce<number>((a, b) => a * Number(b), 1)),
      ]),
    );
    const program = await runtime.compile({ loss: loss! }, mapWeights(zero));
    losses.set(kindMargin, (await program.run(await stage.batch(partOf(0, 1), new Rng(1)))).loss!.data[0]!);
    await program.close();
    measured.set(kindMargin, (await stage.evaluate!(zero, 1)).nats!);
  }
  expect(measured.get(0)).toBeCloseTo(Math.log(18), 5);
  expect(measured.get(3)).toBe(measured.get(0));
  expect(losses.get(0)).toBeCloseTo(Math.log(18), 5);
  const [code, word] = [Math.log(4 + 14 * Math.exp(3)), Math.log(14 + 4 * Math.exp(3))];
  expect(losses.get(3)).toBeCloseTo((2 * code + word) / 3, 5);
});

test("a model learns to count, and an adapter with new words to count by twos while the base stays as it was", async () => {
  const base = await train({});
  expect(base.nats).toBeLessThan(0.05);
  expect((await train({ room: 5, kindMargin: 1 })).nats).toBeLessThan(0.1); // of seven positions five are learned in a step
  expect(Math.exp(base.nats)).toBeLessThan(1.06);

  const bigger = { ...config, addedTokens: 4 };
  const source = mapWeights(base.weights);
  const start = new Map([...base.weights].filter(([path]) => path.endsWith("norm.weight")));
  const adapter = { lora, base: source };
  const twos = counting(2, 16);
  const adapted = await train({
    config: bigger,
    rows: SHARED_ROWS,
    adapter,
    start,
    train: twos,
    validation: twos,
    validationCount: 8,
  });
  expect(adapted.nats).toBeLessThan(0.2);
  expect([...adapted.weights.keys()].sort()).toEqual(adapterPaths(bigger, lora, SHARED_ROWS).sort());
  expect([...adapted.weights.keys()]).toContain("model.embed_tokens.added");
  expect(adapted.weights.get("model.embed_tokens.shared")!.some((value) => value !== 0)).toBe(true);
  expect([...adapted.weights.keys()].some((path) => /(embed_tokens|q_proj)\.weight$/.test(path))).toBe(false);
}, 60_000);
