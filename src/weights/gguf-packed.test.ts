/** Quantized GGUF tensors as ONNX Runtime's blocks: the numbers of the file, multiplied and looked up. */
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { input, normal, Params } from "../graph/index.ts";
import type { StoredWeight } from "../onnx/index.ts";
import { Runtime } from "../runtime/index.ts";
import { type GgufFile, openGguf } from "./gguf.ts";
import { ggufLlamaConfig, readGgufLlama, readGgufLlamaBytes } from "./gguf-llama.ts";
import { packBlocks } from "./gguf-packed.ts";
import { scratchWeights } from "./mapped/scratch-weights.ts";

/** Tensors [3,256] of each format, written by ggml's own code. */
const FORMATS = "test/fixtures/llm/gguf/formats.gguf";
const [N, K] = [3, 256];
let file: GgufFile;
let root: string;
beforeAll(async () => {
  file = await openGguf(FORMATS);
  root = await mkdtemp(join(tmpdir(), "seedling-packed-"));
  vi.stubEnv("TMPDIR", root);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await file.close();
  await rm(root, { recursive: true });
});

const bytesOf = (a: Float32Array): Uint8Array => new Uint8Array(a.buffer, a.byteOffset, a.byteLength);
const scratched = async (): Promise<string[]> =>
  (await readdir(root)).filter((name) => name.startsWith("seedling-weights-")); // other libraries write there, too
const largest = (a: Float32Array): number => a.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
const difference = (a: ArrayLike<number>, b: Float32Array): number => {
  expect(a.length).toBe(b.length);
  return b.reduce((most, x, i) => Math.max(most, Math.abs(x - a[i]!)), 0);
};

async function stored(type: string): Promise<StoredWeight> {
  const { bits, block, data, scale, offset } = packBlocks(type, await file.readBytes(type))!;
  const activations = bits === 8 ? "i8" : "f32";
  return { dtype: "blocks", bits, block, data, scale: bytesOf(scale), offset: offset && bytesOf(offset), activations };
}

const TYPES = ["Q4_0", "Q4_1", "Q8_0", "Q4_K", "Q6_K"];

test.each(TYPES)("%s: packed numbers are those of the file", async (type) => {
  const { bits, block, data, scale, offset } = packBlocks(type, await file.readBytes(type))!;
  const numbers = Float32Array.from({ length: N * K }, (_, i) => {
    const q = bits === 8 ? data[i]! : (data[i >> 1]! >> (4 * (i & 1))) & 15;
    const at = Math.floor(i / block);
    return (q - 2 ** (bits - 1)) * scale[at]! + (offset?.[at] ?? 0);
  });
  const expected = await file.readFloat32(type);
  expect(difference(numbers, expected)).toBeLessThan(1e-6 * largest(expected));
});

test.each(TYPES)("%s: multiplied and looked up in one table, mapped from a temporary file", async (type) => {
  const w = await file.readFloat32(type);
  const x = Float32Array.from({ length: 2 * K }, (_, i) => Math.sin(i * 1.7));
  const table = new Params().get("w", [N, K], normal(1));
  const activations = input("x", ["M", K]);
  const product = activations.linear(table, input("bias", [N]));
  const part = activations.linear(table.slice(0, 1, 3));
  const rows = table.gather(input("ids", ["B", "T"], "i32"));
  const weights = await scratchWeights(new Map([["w", () => stored(type)]]));
  expect(await scratched()).toHaveLength(1);
  const runtime = new Runtime({ threads: 1 });
  const program = await runtime.compile({ product, part, rows }, weights);
  await weights.release();
  expect(await scratched()).toHaveLength(0);
  const bias = Float32Array.of(0.5, -1, 2);
  const out = await program.run({
    x: { shape: [2, K], data: x },
    bias: { shape: [N], data: bias },
    ids: { shape: [2, 2], data: Int32Array.of(2, 0, 1, 2) },
  });
  await runtime.close();
  const dot = (m: number, n: number): number => {
    let sum = 0;
    for (let k = 0; k < K; k++) sum += x[m * K + k]! * w[n * K + k]!;
    return sum;
  };
  const wanted = Float32Array.from({ length: 2 * N }, (_, i) => dot(Math.floor(i / N), i % N) + bias[i % N]!);
  const bound = (type === "Q8_0" || type === "Q6_K" ? 0.01 : 1e-5) * Math.sqrt(K) * largest(w);
  expect(difference(out.product!.data, wanted)).toBeLessThan(bound);
  const wantedPart = Float32Array.from({ length: 4 }, (_, i) => dot(i >> 1, 1 + (i & 1)));
  expect(difference(out.part!.data, wantedPart)).toBeLessThan(bound);
  expect(out.rows!.shape).toEqual([2, 2, K]);
  const wantedRows = Float32Array.from([2, 0, 1, 2].flatMap((n) => [...w.subarray(n * K, (n + 1) * K)]));
  expect(difference(out.rows!.data, wantedRows)).toBeLessThan(1e-6 * largest(w));
});

test("without a place for files the weights stay in memory", async () => {
  vi.stubEnv("TMPDIR", join(root, "missing"));
  const weights = await scratchWeights(new Map([["w", () => stored("Q4_0")]]));
  vi.stubEnv("TMPDIR", root);
  expect(weights.folder).toBeUndefined();
  expect(weights.get("w")!.data).toBeInstanceOf(Uint8Array);
});

test("bytes come in the order of Hugging Face, as numbers do; other formats have no blocks", async () => {
  const model = await openGguf("test/fixtures/llm/gguf/llama.gguf");
  const config = ggufLlamaConfig(model);
  for (const name of ["q_proj", "k_proj", "v_proj"].map((part) => `model.layers.1.self_attn.${part}.weight`)) {
    const { type, bytes } = await readGgufLlamaBytes(model, name, config);
    expect(type).toBe("F32");
    expect(packBlocks(type, bytes)).toBeUndefined();
    expect(bytes).toEqual(bytesOf(await readGgufLlama(model, name, config)));
  }
  await model.close();
});
