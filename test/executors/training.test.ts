/** Training on the GPU gives the numbers of training on the CPU, with the state on the GPU from step to step. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Rng } from "../../src/base/rng.ts";
import { input, Params, paramAttrs, type Tensor } from "../../src/graph/index.ts";
import { initialValues, linear, mse } from "../../src/nn/index.ts";
import { type AdamW, type Kind, Runtime, type Training, type Values } from "../../src/runtime/index.ts";
import { whyNoGpu } from "./drivers.ts";

const TIMEOUT_MS = 300_000;
const [B, D] = [4, 6];
const optimizer: AdamW = { beta1: 0.9, beta2: 0.98, eps: 1e-6, clipNorm: 0.5, averageDecay: 0.9 };

const gpu = new Runtime({ device: "webgpu", threads: 1 });
const cpu = new Runtime({ threads: 1 });
const skip = await whyNoGpu(gpu);
afterAll(() => Promise.all([gpu.close(), cpu.close()]));

/** Two layers and a scalar, with an output that is not f32. */
function network(p: Params): { loss: Tensor; metrics: Record<string, Tensor> } {
  const x = input("x", [B, D]);
  const y = linear(p.at("out"), linear(p.at("in"), x, 8).gelu(), D).mul(
    p.get("gain", [], { kind: "constant", value: 1 }),
  );
  return { loss: mse(y, input("target", [B, D])), metrics: { best: y.argmax() } };
}

function train(runtime: Runtime, accumulate: number): Promise<Training> {
  const p = new Params();
  const { loss, metrics } = network(p);
  const learn = [...p.declared().values()].map(paramAttrs).map(({ path, shape, init }) => ({
    path,
    shape,
    rateScale: path === "in.bias" ? 0.5 : 1,
    weightDecay: shape.length > 1 ? 0.1 : 0,
    initial: initialValues(path, shape, init, 3),
  }));
  return runtime.train({ loss, metrics, learn, optimizer, accumulate });
}

function batch(seed: number): Values {
  const rng = new Rng(seed);
  const draw = () => ({ shape: [B, D], data: rng.fillNormal(new Float32Array(B * D)) });
  return { x: draw(), target: draw() };
}

/** One step; the losses of its micro-batches and the norm. */
async function step(training: Training, t: number, accumulate: number): Promise<number[]> {
  const numbers: number[] = [];
  for (let part = 0; part < accumulate; part++)
    numbers.push((await training.forward(batch(10 * t + part), part === 0)).loss!.data[0]!);
  return [...numbers, await training.update(t, 0.01)];
}

function expectClose(got: readonly ArrayLike<number>[], wanted: readonly ArrayLike<number>[], where: string): void {
  expect(got.map((x) => x.length)).toEqual(wanted.map((x) => x.length));
  for (const [i, values] of wanted.entries())
    for (let j = 0; j < values.length; j++) expect(got[i]![j], `${where} ${i} ${j}`).toBeCloseTo(values[j]!, 4);
}

describe.skipIf(skip)(`training on WebGPU${skip ? ` (${skip})` : ""}`, () => {
  let [a, b]: [Training?, Training?] = [];
  beforeAll(async () => {
    [a, b] = [await train(cpu, 2), await train(gpu, 2)];
  }, TIMEOUT_MS);

  test(
    "follows the CPU: losses, norms, weights, moments, averages",
    async () => {
      const kinds: Kind[] = ["param", "m", "v", "average"];
      for (const kind of kinds) expectClose(await b!.read(kind), await a!.read(kind), `first ${kind}`);
      for (let t = 1; t <= 4; t++) expectClose([await step(b!, t, 2)], [await step(a!, t, 2)], `step ${t}`);
      for (const kind of kinds) expectClose(await b!.read(kind), await a!.read(kind), kind);
      const outputs = [await b!.forward(batch(5)), await a!.forward(batch(5))];
      expect(outputs[0]!.best).toEqual(outputs[1]!.best);
    },
    TIMEOUT_MS,
  );

  test(
    "values that are written are used and come back, whole or one by name",
    async () => {
      const values = Float32Array.from({ length: 8 }, (_, i) => i / 8);
      for (const training of [a!, b!]) {
        await training.writeOne("param", "in.bias", values);
        expect(await training.readOne("param", "in.bias")).toEqual(values);
      }
      expectClose([await step(b!, 5, 2)], [await step(a!, 5, 2)], "step");
      expectClose([await b!.readOne("param", "in.bias")], [await a!.readOne("param", "in.bias")], "in.bias");
      await expect(b!.writeOne("param", "in.bias", values.subarray(1))).rejects.toThrow(
        "in.bias: expected 8 values, got 7.",
      );
    },
    TIMEOUT_MS,
  );

  test(
    "a step whose norm is not finite changes nothing, and the next one is as if it had not been",
    async () => {
      const poison = { ...batch(1), x: { shape: [B, D], data: new Float32Array(B * D).fill(Number.NaN) } };
      const before = await b!.read("param");
      for (const training of [a!, b!]) {
        await training.forward(poison);
        await training.forward(batch(1), false);
        expect(Number.isFinite(await training.update(6, 0.01))).toBe(false);
      }
      expect(await b!.read("param")).toEqual(before);
      expectClose([await step(b!, 6, 2)], [await step(a!, 6, 2)], "next step");
      expectClose(await b!.read("param"), await a!.read("param"), "param");
    },
    TIMEOUT_MS,
  );

  test(
    "one micro-batch a step",
    async () => {
      const [c, d] = [await train(cpu, 1), await train(gpu, 1)];
      for (let t = 1; t <= 2; t++) expectClose([await step(d, t, 1)], [await step(c, t, 1)], `step ${t}`);
      expectClose(await d.read("param"), await c.read("param"), "param");
      await d.close();
      await expect(d.read("param")).rejects.toThrow("is closed");
    },
    TIMEOUT_MS,
  );
});
