import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TINY_CODES, writeTinyModel } from "../../../test/tiny-model.ts";
import { Rng } from "../../base/rng.ts";
import { input, normal, Params, type Tensor } from "../../graph/index.ts";
import { importOfficial } from "../../image-tokenizer/official/index.ts";
import { OfficialSeed } from "../../image-tokenizer/official-seed.ts";
import { SeedTokenizer } from "../../image-tokenizer/seed-tokenizer.ts";
import { emit, type QuantizedWeight } from "../../onnx/index.ts";
import { Runtime } from "../../runtime/index.ts";
import { copyTensor } from "../copy-tensor.ts";
import { openSafetensors, writeSafetensors } from "../index.ts";
import { quantizeFolder } from "./index.ts";
import { linearWeights } from "./linear-weights.ts";
import { dequantizeRows, quantizeBlocks, quantizeRows } from "./round.ts";

const random = (n: number, seed: number): Float32Array => {
  const rng = new Rng(seed);
  return Float32Array.from({ length: n }, () => rng.int(2001) / 1000 - 1);
};
const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array | Int8Array | Uint8Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** Largest difference, relative to the largest value of `b`. */
function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [difference, largest] = [0, 0];
  for (let i = 0; i < b.length; i++) {
    difference = Math.max(difference, Math.abs(a[i]! - b[i]!));
    largest = Math.max(largest, Math.abs(b[i]!));
  }
  expect(a.length).toBe(b.length);
  return difference / largest;
}

describe("rounding", () => {
  test("a row: its largest magnitude is 127", () => {
    const { data, scale } = quantizeRows(Float32Array.of(1, -2, 0.5, 0, 0, 0), 2);
    expect([...data]).toEqual([64, 0, -127, 0, 32, 0]); // three columns of two
    expect([...dequantizeRows(data, scale)]).toEqual([64, -127, 32, 0, 0, 0].map((q) => Math.fround(q * scale[0]!)));
    expect([...scale]).toEqual([Math.fround(2 / 127), 0]);
  });

  test("a block of 4 bits: low half of the byte first, zero is 8, what is missing at the end is zero", () => {
    const w = new Float32Array(20);
    w.set([-8, 7, 3]);
    w[16] = 4; // the second block's largest becomes 0, so its scale is negative
    const { data, scale } = quantizeBlocks(w, 1, 4, 16);
    expect([...scale]).toEqual([1, -0.5]);
    expect([...data]).toEqual([0xf0, 0x8b, ...Array(6).fill(0x88), 0x80, ...Array(7).fill(0x88)]);
  });

  test("a block of 8 bits", () => {
    const { data, scale } = quantizeBlocks(Float32Array.of(-64, 63.4, 0), 1, 8, 16);
    expect([...scale]).toEqual([0.5]);
    expect([...data]).toEqual([0, 255, ...Array(14).fill(128)]);
  });
});

describe("a linear layer", () => {
  const [M, K, N] = [5, 40, 12];
  const [x, w, bias] = [random(M * K, 1), random(N * K, 2), random(N, 3)];

  /** Rows begin..end of the weight in floats: f32 [M,rows]. */
  function expected(begin: number, end: number, withBias: boolean): number[] {
    const out: number[] = [];
    for (let m = 0; m < M; m++)
      for (let n = begin; n < end; n++) {
        let sum = withBias ? bias[n]! : 0;
        for (let k = 0; k < K; k++) sum += x[m * K + k]! * w[n * K + k]!;
        out.push(sum);
      }
    return out;
  }
  const p = new Params();
  const weight = p.get("w", [N, K], normal(1));
  const whole = input("x", ["M", K]).linear(weight, input("bias", [N]));
  const part = input("y", ["M", 1, K]).linear(weight.slice(0, 3, 9));

  const forms: [string, () => QuantizedWeight, number][] = [
    ["8 bits a row", () => ({ dtype: "i8", ...asBytes(quantizeRows(w, N)) }), 0.02],
    ["8 bits a block", () => ({ dtype: "blocks", bits: 8, block: 16, ...asBytes(quantizeBlocks(w, N, 8, 16)) }), 0.01],
    ["4 bits a block", () => ({ dtype: "blocks", bits: 4, block: 32, ...asBytes(quantizeBlocks(w, N, 4, 32)) }), 0.12],
  ];
  test.each(forms)("%s: close to floats, whole and in rows of the weight", async (_, stored, bound) => {
    const runtime = new Runtime({ threads: 1 });
    const program = await runtime.compile({ whole, part }, { get: (path) => (path === "w" ? stored() : undefined) });
    const out = await program.run({
      x: { shape: [M, K], data: x },
      y: { shape: [M, 1, K], data: x },
      bias: { shape: [N], data: bias },
    });
    await runtime.close();
    expect(out.part!.shape).toEqual([M, 1, 6]);
    expect(distance(out.whole!.data, expected(0, N, true))).toBeLessThan(bound);
    expect(distance(out.part!.data, expected(3, 9, false))).toBeLessThan(bound);
    expect(distance(out.whole!.data, expected(0, N, true))).toBeGreaterThan(0); // it was rounded
  });

  test("each product has a weight of its own: without VNNI, ONNX Runtime fails at the second reader of one", () => {
    const shared = p.get("shared.weight", [N, K], normal(1));
    const outputs = { whole: input("x", ["M", K]).linear(shared), other: input("y", ["M", K]).linear(shared) };
    const { bytes } = emit(outputs, { target: "cpu", weight: forms[0]![1] });
    const names = new TextDecoder("latin1").decode(bytes).match(/shared\.weight(#\d)?(?!\.scale)/g) ?? [];
    const readersAndItself = (name: string): number => names.filter((other) => other === name).length;
    expect(["shared.weight", "shared.weight#2"].map(readersAndItself)).toEqual([2, 2]);
  });

  test("what anything else reads cannot be quantized", async () => {
    const runtime = new Runtime({ threads: 1 });
    const sum = weight.sum();
    const compiling = runtime.compile({ whole, sum }, { get: (path) => (path === "w" ? forms[0]![1]() : undefined) });
    await expect(compiling).rejects.toThrow("w: expected floats, as not only linear layers read it.");
    await runtime.close();
    expect([...linearWeights([whole, part])]).toEqual(["w"]);
    expect([...linearWeights([whole, part, sum])]).toEqual([]);
    expect([...linearWeights([whole, weight.slice(0, 0, 2).exp() as Tensor])]).toEqual([]);
    expect([...linearWeights([whole, weight.slice(1, 0, 2).transpose([1, 0])])]).toEqual([]);
  });
});

function asBytes({ data, scale }: { data: Int8Array | Uint8Array; scale: Float32Array }) {
  return { data: bytesOf(data), scale: bytesOf(scale) };
}

describe("model folders", () => {
  let root: string;
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), "seedling-quantize-"));
    await writeTinyModel(join(root, "tiny"), { dtype: "F32" });
    await importOfficial(["test/fixtures/tiny-a"], join(root, "official"));
  });
  afterAll(() => rm(root, { recursive: true }));

  const codes = [1, 2].map((seed) => {
    const rng = new Rng(seed);
    return Array.from({ length: 32 }, () => rng.int(TINY_CODES));
  });

  test.each([
    ["int8", {}, 0.1],
    ["blocks8", { bits: 8, block: 16 }, 0.05],
    ["blocks4", { bits: 4, block: 16 }, 0.5],
  ] as const)("%s: a trained folder loads like any other and gives nearly the same", async (name, options, bound) => {
    const [from, to] = [join(root, "tiny"), join(root, `tiny-${name}`)];
    const report = await quantizeFolder(from, to, { ...options, keep: /^$/ });
    expect(report.files.map(({ file }) => file)).toEqual(["model.safetensors", "unet/model.safetensors"]);
    for (const { file, quantized, bytesBefore, bytesAfter } of report.files) {
      expect(quantized.length).toBeGreaterThan(5);
      expect(quantized.every((tensor) => tensor.endsWith("weight"))).toBe(true);
      expect(bytesAfter).toBe((await stat(join(to, file))).size);
      expect(bytesAfter).toBeLessThan(bytesBefore);
    }
    const [a, b] = await Promise.all([from, to].map((path) => SeedTokenizer.fromPretrained(path, { threads: 1 })));
    const texts = ["a red cat", "a dog on a house"];
    for (const [i, exact] of (await a!.embedText(texts)).entries())
      expect(distance((await b!.embedText(texts))[i]!, exact)).toBeLessThan(bound);
    for (const [i, exact] of (await a!.embedCodes(codes)).entries())
      expect(distance((await b!.embedCodes(codes))[i]!, exact)).toBeLessThan(bound);
    expect((await b!.decode([codes[0]!], { steps: 1 }))[0]).toMatchObject({ width: 16, height: 16 });
    await Promise.all([a!.close(), b!.close()]);
  });

  test("an imported folder: what decides on codes stays as it is", async () => {
    const [from, to] = [join(root, "official"), join(root, "official-int8")];
    const { files } = await quantizeFolder(from, to);
    const quantized = files[0]!.quantized;
    expect(quantized).toContain("visual_encoder.blocks.0.attn.qkv.weight");
    expect(quantized).toContain("Qformer.bert.encoder.layer.0.crossattention.self.key.weight");
    expect(quantized.filter((name) => /task_layer|image_down|distill|quantize|patch_embed/.test(name))).toEqual([]);
    const [a, b] = await Promise.all([from, to].map((path) => OfficialSeed.fromPretrained(path, { threads: 1 })));
    const [exact, near] = await Promise.all([a, b].map((seed) => seed!.generationEmbeddings(codes)));
    for (const [i, { data }] of exact!.entries()) expect(distance(near![i]!.data, data)).toBeLessThan(0.05);
    await Promise.all([a!.close(), b!.close()]);
  });

  test("dtype int8 rounds in memory to the numbers that a quantized folder holds", async () => {
    const open = [
      [join(root, "tiny"), SeedTokenizer],
      [join(root, "official"), OfficialSeed],
    ] as const;
    for (const [from, model] of open) {
      const to = `${from}-rounded`;
      await quantizeFolder(from, to);
      const told: string[] = [];
      const onProgress = (what: string) => void told.push(what);
      const all = [
        await model.fromPretrained(from, { threads: 1, dtype: "int8", onProgress }),
        await model.fromPretrained(to, { threads: 1, dtype: "int8" }),
        await model.fromPretrained(from, { threads: 1, dtype: "f32" }),
        await model.fromPretrained(from, { threads: 1 }),
      ];
      expect(told).toContain("rounding weights to 8 bits");
      const say = (one: SeedTokenizer | OfficialSeed) =>
        one instanceof SeedTokenizer
          ? Promise.all([one.embedText(["a red cat"]), one.embedCodes(codes), one.decode([codes[0]!], { steps: 1 })])
          : Promise.all([one.generationEmbeddings(codes), one.encode(["examples/turtle.png"])]);
      const [rounded, stored, floats, plain] = await Promise.all(all.map(say));
      expect(rounded).toEqual(stored);
      expect(floats).toEqual(plain);
      expect(rounded).not.toEqual(plain);
      await Promise.all(all.map((one) => one.close()));
      await expect(model.fromPretrained(to, { dtype: "f32" })).rejects.toMatchObject({
        exitCode: 2,
        message: expect.stringContaining('expected floats for dtype "f32", got quantized weights.'),
      });
    }
  });

  test("imported weights are not opened as a model that was trained here", async () => {
    const folder = join(root, "official");
    await expect(SeedTokenizer.fromPretrained(folder)).rejects.toMatchObject({
      exitCode: 2,
      message: `${folder}: expected a model that was trained here, got imported SEED weights. Open them with OfficialSeed.fromPretrained.`,
    });
  });

  test("the same folder gives the same bytes; --keep and wrong sizes", async () => {
    const from = join(root, "official");
    const write = async (name: string, options = {}) => {
      const { files } = await quantizeFolder(from, join(root, name), options);
      return { quantized: files[0]!.quantized, bytes: await readFile(join(root, name, "model.safetensors")) };
    };
    const [a, b] = [await write("once"), await write("twice")];
    expect(a.bytes.equals(b.bytes)).toBe(true);
    const kept = await write("kept", { keep: /^visual_encoder/ });
    expect(kept.quantized.filter((name) => name.startsWith("visual_encoder"))).toEqual([]);
    expect(kept.quantized).toContain("encode_task_layer.0.weight");
    await expect(quantizeFolder(from, join(root, "x"), { bits: 4 })).rejects.toThrow("expected --block with 4 bits");
    await expect(quantizeFolder(from, join(root, "x"), { block: 24 })).rejects.toThrow("got 24.");
    await expect(quantizeFolder(join(root, "once"), join(root, "x"))).rejects.toThrow("it is quantized already.");
  });

  test("scales that are missing or misshaped are named", async () => {
    const path = join(root, "damaged");
    await quantizeFolder(join(root, "official"), path);
    const file = await openSafetensors(join(path, "model.safetensors"));
    const scale = "visual_encoder.blocks.0.mlp.fc1.weight.scale";
    const others = [...file.tensors.keys()].filter((name) => name !== scale);
    const copies = others.map((name) => copyTensor(file, name));
    await writeSafetensors(
      join(path, "model.safetensors"),
      [...copies, { name: scale, dtype: "F32", shape: [1], data: new Float32Array(1) }],
      Object.fromEntries(file.metadata),
    );
    await file.close();
    await expect(OfficialSeed.fromPretrained(path)).rejects.toMatchObject({
      exitCode: 3,
      problems: [`"${scale}": expected [122], got [1]`],
    });
  });
});
