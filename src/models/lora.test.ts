import { describe, expect, it } from "vitest";
import { gradients } from "../autodiff/index.ts";
import { Rng } from "../base/rng.ts";
import { input, Params, paramAttrs, type Tensor } from "../graph/index.ts";
import { initialValues } from "../nn/index.ts";
import { evaluate } from "../runtime/reference.ts";
import { isLoraPath, LoraParams, mergeLora, project, SEED_LORA, type Weights } from "./lora.ts";

const lora = { ...SEED_LORA, rank: 2, alpha: 6, dropout: 0.25 };

/** Random values of every parameter, by path. */
const random = (path: string, shape: readonly number[]): Float32Array =>
  initialValues(path, shape, { kind: "normal", std: 0.5 }, 3);

function weightsOf(p: Params, values = random): Map<string, { shape: readonly number[]; data: Float32Array }> {
  const all = [...p.declared().values()].map(paramAttrs);
  return new Map(all.map(({ path, shape }) => [path, { shape, data: values(path, shape) }]));
}

const run = (y: Tensor, weights: Weights, feeds: Record<string, ArrayLike<number>>): number[] => [
  ...evaluate([y], { feeds, params: (path) => weights.get(path)!.data })[0]!.data,
];

const x = Float32Array.from({ length: 6 }, (_, i) => i / 3 - 1);

describe("LoRA", () => {
  it("adds scale B A x at its targets and nowhere else", () => {
    const p = new LoraParams(lora);
    const h = project(p.at("layers", 0, "q_proj"), input("x", [2, 3]), 4, { bias: false });
    const y = project(p.at("head"), h, 2);
    expect([...p.declared().keys()]).toEqual([
      "layers.0.q_proj.weight",
      "layers.0.q_proj.lora_A.weight",
      "layers.0.q_proj.lora_B.weight",
      "head.weight",
      "head.bias",
    ]);
    expect([...p.declared().keys()].filter(isLoraPath).length).toBe(2);
    const weights = weightsOf(p);
    const plain = new Params();
    const same = project(
      plain.at("head"),
      project(plain.at("layers", 0, "q_proj"), input("x", [2, 3]), 4, { bias: false }),
      2,
    );
    const path = "layers.0.q_proj";
    const merged = mergeLora(path, weights.get(`${path}.weight`)!.data, weights, lora);
    const all = new Map([...weights, [`${path}.weight`, { shape: [4, 3], data: merged }]]);
    const [got, wanted] = [run(y, weights, { x }), run(same, all, { x })];
    for (const [i, value] of wanted.entries()) expect(got[i]).toBeCloseTo(value, 5);
  });

  it("starts as the model without it, and learns from the first step", () => {
    const p = new LoraParams(lora);
    const y = project(p.at("q_proj"), input("x", [2, 3]), 4, { bias: false });
    const weights = weightsOf(p, (path, shape) => {
      const { init } = paramAttrs(p.declared().get(path)!);
      return initialValues(path, shape, path.endsWith("q_proj.weight") ? { kind: "normal", std: 1 } : init, 1);
    });
    const plain = project(new Params().at("q_proj"), input("x", [2, 3]), 4, { bias: false });
    expect(run(y, weights, { x })).toEqual(run(plain, weights, { x }));
    expect(weights.get("q_proj.lora_A.weight")!.data.every((v) => Math.abs(v) <= 3 ** -0.5)).toBe(true);
    const [dB] = gradients(y.sum(), [p.declared().get("q_proj.lora_B.weight")!]);
    expect(run(dB!, weights, { x }).some((v) => v !== 0)).toBe(true);
  });

  it("drops a quarter of the inputs of each layer, others at each, and keeps the mean", () => {
    const noise = input("noise", [1, 400, 8]);
    const p = new LoraParams({ ...lora, rank: 1, alpha: 1 }, { noise });
    const seen = (name: string): Tensor => project(p.at(name), input("x", [1, 400, 6]), 1, { bias: false });
    const outputs = [seen("q_proj"), seen("k_proj")];
    const ones = weightsOf(p, (path, shape) => random(path, shape).fill(isLoraPath(path) ? 1 : 0));
    const rng = new Rng(1);
    const feeds = { x: new Float32Array(2400).fill(1), noise: Float32Array.from({ length: 3200 }, () => rng.next()) };
    const [q, k] = outputs.map((y) => run(y, ones, feeds)) as [number[], number[]];
    const mean = (values: number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
    expect(mean(q)).toBeGreaterThan(5.8);
    expect(mean(q)).toBeLessThan(6.2);
    expect(Math.max(...q)).toBeCloseTo(8, 5); // nothing dropped: 6 / 0.75
    expect(q).not.toEqual(k);
  });

  it("comes out again within the last digit", () => {
    const p = new LoraParams(lora);
    project(p.at("q_proj"), input("x", [2, 3]), 4, { bias: false });
    const weights = weightsOf(p);
    const w = weights.get("q_proj.weight")!.data;
    const back = mergeLora("q_proj", mergeLora("q_proj", w, weights, lora), weights, lora, -1);
    for (const [i, value] of w.entries()) expect(back[i]).toBeCloseTo(value, 6);
    expect(mergeLora("other", w, weights, lora)).toBe(w);
  });

  it("names the layer whose shapes do not fit", () => {
    const wrong: Weights = new Map([
      ["q_proj.lora_A.weight", { shape: [2, 3], data: new Float32Array(6) }],
      ["q_proj.lora_B.weight", { shape: [5, 2], data: new Float32Array(10) }],
    ]);
    expect(() => mergeLora("q_proj", new Float32Array(12), wrong, lora)).toThrow(
      "q_proj: expected an adapter for 12 weights with rank 2, got A [2,3] and B [5,2]. Is it for another base?",
    );
  });
});
