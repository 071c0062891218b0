/**
 * Language models against transformers' and PEFT's recorded numbers (test/fixtures/llm), on ONNX Runtime.
 * Tolerance: of the largest magnitude in the tensor.
 */
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { gradients } from "../../src/autodiff/index.ts";
import { constant, Params, paramAttrs, type Tensor } from "../../src/graph/index.ts";
import { HIDDEN_KEY, type LmInput, lmInput } from "../../src/models/causal-lm.ts";
import {
  decodingGraph,
  languageModel,
  languageModelLogits,
  languageModelWeights,
} from "../../src/models/language-model.ts";
import { type LmConfig, readLmConfig } from "../../src/models/lm-config.ts";
import { LoraParams } from "../../src/models/lora.ts";
import { labeledCrossEntropy } from "../../src/nn/losses.ts";
import { mapWeights, Runtime, type Value, type Values } from "../../src/runtime/index.ts";
import { expectTensors, openCheckpoint, readJsonFile, readPeftFolder } from "../../src/weights/index.ts";

const root = "test/fixtures/llm";
const TOLERANCE = 2e-5;
const runtime = new Runtime({ threads: 1 });
afterAll(() => runtime.close());

type Floats = Map<string, Float32Array>;

async function floats(path: string): Promise<Floats> {
  const file = await openCheckpoint(path);
  const all: Floats = new Map();
  for (const name of file.tensors.keys()) all.set(name, await file.readFloat32(name));
  await file.close();
  return all;
}

interface Fixture {
  readonly config: LmConfig;
  readonly weights: Floats;
  readonly io: Floats;
  /** The two sequences, without padding. */
  readonly sequences: readonly (readonly number[])[];
}

async function fixture(name: string): Promise<Fixture> {
  const folder = join(root, name);
  const config = readLmConfig(await readJsonFile(join(folder, "config.json")), name);
  const io = await floats(join(folder, "io.safetensors"));
  const rows = io.get("ids")!;
  const lengths = io.get("lengths")!;
  const T = rows.length / lengths.length;
  const sequences = [...lengths].map((length, b) => [...rows.slice(b * T, b * T + length)]);
  return { config, weights: await floats(folder), io, sequences };
}

function relativeError(got: ArrayLike<number>, wanted: ArrayLike<number>): number {
  if (got.length !== wanted.length) return Number.POSITIVE_INFINITY;
  let [worst, scale] = [0, 0];
  for (let i = 0; i < wanted.length; i++) {
    const error = Math.abs(got[i]! - wanted[i]!);
    worst = Number.isNaN(error) ? Number.POSITIVE_INFINITY : Math.max(worst, error);
    scale = Math.max(scale, Math.abs(wanted[i]!));
  }
  return worst / scale;
}

const ints = (data: readonly number[], shape: readonly number[]): Value => ({ shape, data: Int32Array.from(data) });

/** Sequences as one batch; padding is before or after. */
function padded(sequences: readonly (readonly number[])[], side: "left" | "right"): Values {
  const T = Math.max(...sequences.map((s) => s.length));
  const [ids, positions, keys]: [number[], number[], number[]] = [[], [], []];
  for (const s of sequences) {
    const gap = Array<number>(T - s.length).fill(0);
    const hidden = gap.map(() => HIDDEN_KEY);
    const places = s.map((_, i) => i);
    const join = <X>(pad: X[], own: readonly X[]): X[] => (side === "left" ? [...pad, ...own] : [...own, ...pad]);
    ids.push(...join(gap, s));
    positions.push(...join(gap, places));
    keys.push(...join(hidden, places));
  }
  const shape = [sequences.length, T];
  return { ids: ints(ids, shape), positions: ints(positions, shape), keyPositions: ints(keys, shape) };
}

describe.each(["llama", "llama-tied", "opt"])("%s", (name) => {
  test("declares the weights of the file and no others", async () => {
    const { config } = await fixture(name);
    const file = await openCheckpoint(join(root, name));
    expectTensors(file, languageModelWeights(config));
    await file.close();
  });

  test.each(["left", "right"] as const)(
    "a batch with %s padding has the logits of each sequence alone",
    async (side) => {
      const { config, weights, io, sequences } = await fixture(name);
      const p = new Params();
      const { hidden } = languageModel(p, lmInput(config, { batch: "B", tokens: "T" }), config);
      const program = await runtime.compile({ logits: languageModelLogits(p, hidden, config) }, mapWeights(weights));
      const feeds = padded(sequences, side);
      const { logits } = await program.run(feeds);
      const [V, T] = [config.vocabulary, feeds["ids"]!.shape[1]!];
      for (const [b, s] of sequences.entries()) {
        const start = (b * T + (side === "left" ? T - s.length : 0)) * V;
        const own = logits!.data.subarray(start, start + s.length * V);
        expect(relativeError(own, io.get(`logits.${b}`)!)).toBeLessThan(TOLERANCE);
      }
      await program.close();
    },
  );

  test("decoding with the cache, in pieces, gives the same logits", async () => {
    const { config, weights, io, sequences } = await fixture(name);
    const program = await runtime.compile(decodingGraph(new Params(), config), mapWeights(weights));
    const s = sequences[0]!;
    let past: Record<string, Value> = {};
    for (let i = 0; i < config.layers; i++)
      for (const part of ["key", "value"])
        past[`past.${i}.${part}`] = { shape: [1, config.kvHeads, 0, config.headWidth], data: new Float32Array() };
    const all: number[] = [];
    for (const [start, end] of [
      [0, 4],
      [4, 5],
      [5, s.length],
    ] as const) {
      const range = Array.from({ length: end }, (_, i) => i);
      const T = end - start;
      const out = await program.run({
        ids: ints(s.slice(start, end), [1, T]),
        positions: ints(range.slice(start), [1, T]),
        keyPositions: ints(range, [1, end]),
        rows: ints(range.slice(0, T), [T]),
        ...past,
      });
      all.push(...out["logits"]!.data);
      const cache = Object.entries(out).filter(([key]) => key.startsWith("present."));
      past = Object.fromEntries(cache.map(([key, value]) => [key.replace("present", "past"), value]));
    }
    expect(relativeError(all, io.get("logits.0")!)).toBeLessThan(TOLERANCE);
    await program.close();
  });

  test("the loss and the gradient of every parameter", async () => {
    const { config, weights, io, sequences } = await fixture(name);
    const p = new Params();
    const feeds = padded(sequences, "right");
    const shape = feeds["ids"]!.shape;
    const input: LmInput = {
      tokens: constant(feeds["ids"]!.data, shape),
      positions: constant(feeds["positions"]!.data, shape),
      keyPositions: constant(feeds["keyPositions"]!.data, shape),
    };
    const labels = sequences.flatMap((s) => Array.from({ length: shape[1]! }, (_, i) => s[i + 1] ?? -100));
    const { hidden } = languageModel(p, input, config);
    const rows = hidden.reshape([labels.length, config.width]);
    const loss = labeledCrossEntropy(languageModelLogits(p, rows, config), constant(Int32Array.from(labels)));
    const params = [...p.declared().values()];
    const outputs: Record<string, Tensor> = { loss };
    for (const [i, g] of gradients(loss, params).entries())
      outputs[`norm ${paramAttrs(params[i]!).path}`] = g!.square().sum().sqrt();
    const got = await (await runtime.compile(outputs, mapWeights(weights))).run({});
    expect(got["loss"]!.data[0]).toBeCloseTo(io.get("loss")![0]!, 5);
    const wrong = params
      .map((t) => paramAttrs(t).path)
      .filter((path) => {
        const [a, b] = [got[`norm ${path}`]!.data[0]!, io.get(`grad_norm.${path}`)![0]!];
        return !(Math.abs(a - b) <= 1e-4 * b + 1e-6);
      });
    expect(wrong).toEqual([]);
  });
});

test("an adapter that PEFT has written, with new words and norms next to it", async () => {
  const { weights, config } = await fixture("llama");
  const io = await floats(join(root, "lora", "io.safetensors"));
  const adapter = await readPeftFolder(join(root, "lora"));
  expect(adapter).toMatchObject({ lora: { rank: 4, alpha: 8, dropout: 0.05 }, firstAddedToken: 40 });
  const extended = { ...config, addedTokens: adapter.weights.get("lm_head.added")!.shape[0]! };
  const p = new LoraParams(adapter.lora);
  const ids = [...io.get("ids")!];
  const { hidden } = languageModel(p, lmInput(extended, { batch: "B", tokens: "T" }), extended);
  const outputs = { logits: languageModelLogits(p, hidden, extended) };
  for (const [path, { data }] of adapter.weights) weights.set(path, data);
  expect([...p.declared().keys()].sort()).toEqual([...weights.keys()].sort());
  const program = await runtime.compile(outputs, mapWeights(weights));
  const { logits } = await program.run(padded([ids], "right"));
  expect(relativeError(logits!.data, io.get("logits")!)).toBeLessThan(TOLERANCE);
});
