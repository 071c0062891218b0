/** The optimizer: by hand, against PyTorch, and the two implementations against each other. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Rng } from "../../src/base/rng.ts";
import { input } from "../../src/graph/index.ts";
import { type AdamW, Arena, type Slot } from "../../src/runtime/arena.ts";
import { type Program, Runtime, type Values } from "../../src/runtime/index.ts";
import { evaluate } from "../../src/runtime/reference.ts";
import { NEXT, NORM, stateName, stepScalars, summed, updateOutputs } from "../../src/runtime/step-graphs.ts";

const KINDS = ["param", "m", "v", "average"] as const;

/** A run of the optimizer on given gradients. */
interface Optimizer {
  /** Takes step t on the sum of `parts` micro-batches; returns the norm. */
  update(t: number, rate: number, sums: readonly Float32Array[], parts: number): Promise<number>;
  read(kind: (typeof KINDS)[number], slot: number): Float32Array;
}

function onArena(slots: readonly Slot[], options: AdamW, initial: readonly Float32Array[]): Optimizer {
  const arena = new Arena(slots, { averages: options.averageDecay > 0, accumulates: false });
  for (const [i, values] of initial.entries()) {
    arena.view("param", i).set(values);
    if (arena.averages) arena.view("average", i).set(values);
  }
  return {
    async update(t, rate, sums, parts) {
      for (const [i, values] of sums.entries()) arena.view("grad", i).set(values);
      return arena.update(t, rate, parts, options);
    },
    read: (kind, slot) => arena.view(kind, slot).slice(),
  };
}

let runtime: Runtime;
beforeAll(() => {
  runtime = new Runtime({ threads: 1 });
});
afterAll(() => runtime.close());

/** The graph, on ONNX Runtime's CPU provider. */
function onGraph(slots: readonly Slot[], options: AdamW, initial: readonly Float32Array[]): Optimizer {
  const state: Record<string, { shape: readonly number[]; data: Float32Array }> = {};
  for (const [i, { shape }] of slots.entries())
    for (const kind of KINDS) {
      const starts = kind === "param" || kind === "average";
      state[stateName(kind, i)] = { shape, data: starts ? initial[i]! : new Float32Array(initial[i]!.length) };
    }
  const programs = new Map<number, Program>();
  return {
    async update(t, rate, sums, parts) {
      let program = programs.get(parts);
      if (!program) {
        program = await runtime.compile(updateOutputs(slots, options, parts));
        programs.set(parts, program);
      }
      const feeds: Record<string, Values[string]> = { ...state };
      for (const [name, x] of Object.entries(stepScalars(t, rate, options)))
        feeds[name] = { shape: [], data: Float32Array.of(x) };
      for (const [i, data] of sums.entries()) feeds[stateName("sum", i)] = { shape: slots[i]!.shape, data };
      const { [NORM]: norm, ...next } = await program.run(feeds);
      for (const [name, value] of Object.entries(next))
        state[name.slice(NEXT.length)] = value as { shape: readonly number[]; data: Float32Array };
      return norm!.data[0]!;
    },
    read: (kind, slot) => state[stateName(kind, slot)]!.data,
  };
}

const plain: AdamW = { beta1: 0.9, beta2: 0.999, eps: 1e-8, clipNorm: Number.POSITIVE_INFINITY, averageDecay: 0 };
const one: Slot = { path: "p", shape: [1], rateScale: 1, weightDecay: 0.1 };

describe.each([
  ["arena", onArena],
  ["graph", onGraph],
] as const)("%s", (_, make) => {
  test("two steps by hand", async () => {
    const run = make([one], plain, [Float32Array.of(1)]);
    expect(await run.update(1, 0.1, [Float32Array.of(0.5)], 1)).toBeCloseTo(0.5, 6);
    // p = 1 (1 - 0.1 0.1) - 0.1 g/|g|
    expect(run.read("param", 0)[0]).toBeCloseTo(0.89, 5); // float32: 1 - 0.999 is off by 4e-8
    await run.update(2, 0.1, [Float32Array.of(-0.25)], 1);
    // m = 0.9 0.05 - 0.1 0.25, v = 0.999 0.00025 + 0.001 0.0625
    expect(run.read("m", 0)[0]).toBeCloseTo(0.02, 7);
    expect(run.read("v", 0)[0]).toBeCloseTo(0.00031225, 7);
    const step = (0.1 * (0.02 / (1 - 0.81))) / Math.sqrt(0.00031225 / (1 - 0.998001));
    expect(run.read("param", 0)[0]).toBeCloseTo(0.89 * 0.99 - step, 5);
  });

  test("clipping, the mean of micro-batches and the average by hand", async () => {
    const options = { ...plain, clipNorm: 1, averageDecay: 0.999, beta1: 0, beta2: 0 };
    const slots = [
      { ...one, shape: [2] },
      { ...one, weightDecay: 0, rateScale: 0.5 },
    ];
    const run = make(slots, options, [Float32Array.of(1, 2), Float32Array.of(3)]);
    // Two micro-batches with the sums (4, 0) and 3: the mean (2, 0), 1.5 has the norm 2.5.
    expect(await run.update(1, 0.1, [Float32Array.of(4, 0), Float32Array.of(3)], 2)).toBeCloseTo(2.5, 6);
    for (const [got, wanted] of [
      [run.read("m", 0)[0], 0.8],
      [run.read("m", 1)[0], 0.6],
      [run.read("v", 0)[0], 0.64],
      [run.read("param", 0)[0], 0.99 - 0.1],
      [run.read("param", 0)[1], 2 * 0.99],
      [run.read("param", 1)[0], 3 - 0.05],
      // The first decay of the average is 2/11.
      [run.read("average", 1)[0], (3 * 2 + 2.95 * 9) / 11],
    ] as const)
      expect(got).toBeCloseTo(wanted, 5);
  });

  // torch.optim.AdamW([p], lr=0.05, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.2) after
  // clip_grad_norm_([p], 1.0), PyTorch 2.15, float32; gradients cos(3 t + i), t = 1..4, first values i - 1.
  test("four steps as PyTorch takes them", async () => {
    const options: AdamW = { beta1: 0.8, beta2: 0.95, eps: 1e-6, clipNorm: 1, averageDecay: 0 };
    const run = make([{ path: "p", shape: [3], rateScale: 1, weightDecay: 0.2 }], options, [Float32Array.of(-1, 0, 1)]);
    for (let t = 1; t <= 4; t++)
      await run.update(t, 0.05, [Float32Array.from([0, 1, 2], (i) => Math.cos(3 * t + i))], 1);
    const param = run.read("param", 0);
    for (const [i, wanted] of [-0.9039951, 0.0493485, 0.8750046].entries()) expect(param[i]).toBeCloseTo(wanted, 5);
  });
});

test("arena and graph agree on many tensors over many steps", async () => {
  const options: AdamW = { beta1: 0.9, beta2: 0.98, eps: 1e-8, clipNorm: 1, averageDecay: 0.99 };
  const shapes = [[3, 5], [7], [], [2, 3, 1, 2]];
  const slots = shapes.map((shape, i) => ({ path: `p${i}`, shape, rateScale: i === 1 ? 0 : 1, weightDecay: i / 10 }));
  const rng = new Rng(7);
  const draw = (scale: number): Float32Array[] =>
    shapes.map((shape) => Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => scale * rng.normal()));
  const initial = draw(1);
  const [a, b] = [onArena(slots, options, initial), onGraph(slots, options, initial)];
  for (let t = 1; t <= 12; t++) {
    const sums = draw(t % 3); // now and then nothing to learn, now and then more than the norm allows
    const norms = [await a.update(t, 0.01, sums, 2), await b.update(t, 0.01, sums, 2)];
    expect(norms[1]).toBeCloseTo(norms[0]!, 4);
  }
  for (const kind of KINDS)
    for (const i of slots.keys())
      for (const [j, value] of a.read(kind, i).entries())
        expect(b.read(kind, i)[j], `${kind} ${i} ${j}`).toBeCloseTo(value, 5);
  expect(b.read("param", 1)).toEqual(initial[1]); // a rate of 0 moves nothing
});

test("an arena takes no step on a norm that is not finite", async () => {
  const run = onArena([one], plain, [Float32Array.of(1)]);
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
    expect(Number.isFinite(await run.update(1, 0.1, [Float32Array.of(bad)], 1))).toBe(false);
    expect([run.read("param", 0)[0], run.read("m", 0)[0], run.read("v", 0)[0]]).toEqual([1, 0, 0]);
  }
});

test("sums continue where keep is 1 and begin again where it is 0, whatever they held", () => {
  const [total] = summed([input("g", [2])]);
  const value = (keep: number, held: number): number[] =>
    Array.from(evaluate([total!], { feeds: { g: [1, 2], keep: [keep], "sum:0": [held, held] } })[0]!.data);
  expect(value(1, 5)).toEqual([6, 7]);
  expect(value(0, 5)).toEqual([1, 2]);
  expect(value(0, Number.NaN)).toEqual([1, 2]);
});
