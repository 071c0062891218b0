import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { writeTinyLanguageModel } from "../../test/tiny-language-model.ts";
import { TINY_CODES, writeTinyModel } from "../../test/tiny-model.ts";
import { Rng } from "../base/rng.ts";
import { SeedLanguageModel } from "../language/seed-language-model.ts";
import { copyTensor } from "../weights/copy-tensor.ts";
import { openSafetensors, writeSafetensors } from "../weights/index.ts";
import { importOfficial } from "./official/index.ts";
import { quantizeFolder } from "./quantize.ts";
import { SeedTokenizer } from "./seed-tokenizer.ts";

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
    expect(report.files.map(({ file }) => file)).toEqual([
      "model.safetensors",
      "unet/diffusion_pytorch_model.safetensors",
    ]);
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
    const [a, b] = await Promise.all([from, to].map((path) => SeedTokenizer.fromPretrained(path, { threads: 1 })));
    const [exact, near] = await Promise.all([a, b].map((seed) => seed!.generationEmbeddings(codes)));
    for (const [i, { data }] of exact!.entries()) expect(distance(near![i]!.data, data)).toBeLessThan(0.05);
    await Promise.all([a!.close(), b!.close()]);
  });

  test("dtype int8 rounds in memory to the numbers that a quantized folder holds", async () => {
    for (const from of [join(root, "tiny"), join(root, "official")]) {
      const to = `${from}-rounded`;
      await quantizeFolder(from, to);
      const told: string[] = [];
      const onProgress = (what: string) => void told.push(what);
      const all = [
        await SeedTokenizer.fromPretrained(from, { threads: 1, dtype: "int8", onProgress }),
        await SeedTokenizer.fromPretrained(to, { threads: 1, dtype: "int8" }),
        await SeedTokenizer.fromPretrained(from, { threads: 1, dtype: "f32" }),
        await SeedTokenizer.fromPretrained(from, { threads: 1 }),
      ];
      expect(told).toContain("rounding weights to 8 bits");
      const say = (one: SeedTokenizer) =>
        one.capabilities.has("decode")
          ? Promise.all([one.embedText(["a red cat"]), one.embedCodes(codes), one.decode([codes[0]!], { steps: 1 })])
          : Promise.all([one.generationEmbeddings(codes), one.encode(["examples/turtle.png"])]);
      const [rounded, stored, floats, plain] = await Promise.all(all.map(say));
      expect(rounded).toEqual(stored);
      expect(floats).toEqual(plain);
      expect(rounded).not.toEqual(plain);
      await Promise.all(all.map((one) => one.close()));
      await expect(SeedTokenizer.fromPretrained(to, { dtype: "f32" })).rejects.toMatchObject({
        exitCode: 2,
        message: expect.stringContaining('expected floats for dtype "f32", got quantized weights.'),
      });
    }
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
    await expect(quantizeFolder(from, join(root, "x"), { bits: 4 })).rejects.toThrow("expected a block with 4 bits");
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
    await expect(SeedTokenizer.fromPretrained(path)).rejects.toMatchObject({
      exitCode: 3,
      problems: [`"${scale}": expected [122], got [1]`],
    });
  });

  test("every other file is carried along, the language model too, which can be quantized with the rest", async () => {
    const from = join(root, "with-lm");
    await writeTinyModel(from, { dtype: "F32" });
    await writeTinyLanguageModel(from);
    await mkdir(join(from, "notes"));
    await writeFile(join(from, "notes", "card.md"), "# what it is");
    await writeFile(join(from, "lm", "pytorch_model.bin"), "the same weights once more");
    const files = async (folder: string) => {
      const all = await readdir(folder, { recursive: true, withFileTypes: true });
      return all
        .filter((one) => one.isFile())
        .map((one) => join(one.parentPath, one.name).slice(folder.length + 1))
        .sort();
    };
    const plain = await quantizeFolder(from, join(root, "plain-lm"));
    expect(await files(join(root, "plain-lm"))).toEqual(await files(from));
    expect(plain.left).toEqual([]);
    for (const name of ["lm/model.safetensors", "lm-adapter/adapter_model.safetensors", "notes/card.md"]) {
      expect(plain.copied).toContain(name);
      expect(await readFile(join(root, "plain-lm", name))).toEqual(await readFile(join(from, name)));
    }
    const whole = await quantizeFolder(from, join(root, "whole"), { languageModel: true });
    expect(whole.files.map(({ file }) => file)).toContain("lm/model.safetensors");
    expect(whole.left).toEqual(["lm/pytorch_model.bin"]);
    expect((await files(join(root, "whole"))).filter((name) => !whole.left.includes(name))).toEqual(
      (await files(from)).filter((name) => !whole.left.includes(name)),
    );
    const model = await SeedLanguageModel.fromPretrained(join(root, "whole"), { threads: 1 });
    expect((await model.drawCodes("red", { count: 1 }))[0]!.codes).toHaveLength(32);
    await model.close();
  });
});
