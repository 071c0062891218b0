import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { StoredDtype } from "./dtypes.ts";
import type { TensorToWrite } from "./safetensors-write.ts";
import { writeTorch } from "./torch-write.ts";
import { openTorch } from "./torch-zip.ts";

let folder: string;
let path: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "seedling-torch-write-"));
  path = join(folder, "x.pt");
});
afterAll(() => rm(folder, { recursive: true }));

const f32 = (name: string, shape: number[], ...data: number[]): TensorToWrite => ({
  name,
  dtype: "F32",
  shape,
  data: Float32Array.from(data),
});

async function readBack(): Promise<Record<string, unknown>> {
  const file = await openTorch(path);
  const entries: [string, unknown][] = [];
  for (const [name, { dtype, shape }] of file.tensors)
    entries.push([name, { dtype, shape, bytes: Buffer.from(await file.readBytes(name)) }]);
  await file.close();
  return Object.fromEntries(entries);
}

test("matrices, scalars, empty tensors and names of any letters come back", async () => {
  await writeTorch(path, [
    f32("a.weight", [2, 3], 1, -2, 3.5, 4, 5, 6),
    f32("scalar", [], 0.07),
    f32("empty", [0, 4]),
    f32("Grüße 🌱", [1], 1),
    { name: "ids", dtype: "I64", shape: [2], data: BigInt64Array.of(-1n, 2n ** 40n) },
    { name: "half", dtype: "F16", shape: [2], data: Float32Array.of(1, 65504) },
    { name: "brain", dtype: "BF16", shape: [1], data: Uint16Array.of(0x3f80) },
    { name: "mask", dtype: "BOOL", shape: [2], data: Uint8Array.of(0, 1) },
  ]);
  const back = await readBack();
  expect(Object.keys(back)).toEqual(["a.weight", "scalar", "empty", "Grüße 🌱", "ids", "half", "brain", "mask"]);
  expect(back.scalar).toEqual({ dtype: "F32", shape: [], bytes: Buffer.from(Float32Array.of(0.07).buffer) });
  expect(back.empty).toMatchObject({ shape: [0, 4] });
  expect(back.ids).toEqual({
    dtype: "I64",
    shape: [2],
    bytes: Buffer.from(BigInt64Array.of(-1n, 2n ** 40n).buffer),
  });
  expect(back.half).toMatchObject({ dtype: "F16", bytes: Buffer.from(Uint16Array.of(0x3c00, 0x7bff).buffer) });
});

test("a section, as in trainers' files; records start at multiples of 64", async () => {
  await writeTorch(path, [f32("a", [1], 1), f32("b", [3], 1, 2, 3)], "model");
  const file = await openTorch(path);
  expect(file.section).toBe("model");
  expect([...file.tensors.values()].map(({ offset }) => offset! % 64)).toEqual([0, 0]);
  await file.close();
});

test("the same tensors give the same bytes", async () => {
  const write = async () => {
    await writeTorch(path, [f32("a", [1], 1)]);
    return readFile(path);
  };
  expect(await write()).toEqual(await write());
});

test("whatever is written is read back", async () => {
  const dtypes: [StoredDtype, (n: number) => TensorToWrite["data"]][] = [
    ["F32", (n) => Float32Array.from({ length: n }, (_, i) => i / 7)],
    ["I32", (n) => Int32Array.from({ length: n }, (_, i) => -i)],
    ["U8", (n) => Uint8Array.from({ length: n }, (_, i) => i)],
  ];
  const one = fc.record({
    kind: fc.nat(2),
    shape: fc.array(fc.nat(4), { maxLength: 3 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.dictionary(fc.string({ minLength: 1, maxLength: 8 }), one, { maxKeys: 5 }), async (entries) => {
      const tensors = Object.entries(entries).map(([name, { kind, shape }]) => {
        const [dtype, make] = dtypes[kind]!;
        return { name, dtype, shape, data: make(shape.reduce((a, b) => a * b, 1)) };
      });
      fc.pre(tensors.length > 0);
      await writeTorch(path, tensors);
      const back = await readBack();
      expect(Object.keys(back)).toHaveLength(tensors.length);
      for (const { name, dtype, shape, data } of tensors) {
        const { buffer, byteOffset, byteLength } = data as Float32Array;
        expect(back[name]).toEqual({ dtype, shape, bytes: Buffer.from(buffer, byteOffset, byteLength) });
      }
    }),
    { numRuns: 20 },
  );
});

test("a dtype without a storage, and numbers that do not fit, are refused; nothing is left behind", async () => {
  await rm(path, { force: true });
  const unsigned: TensorToWrite = { name: "u", dtype: "U16", shape: [1], data: Uint16Array.of(1) };
  await expect(writeTorch(path, [unsigned])).rejects.toThrow('"u": expected a dtype that PyTorch has, got U16.');
  const short: TensorToWrite = { name: "s", dtype: "F32", shape: [2], data: Float32Array.of(1) };
  await expect(writeTorch(path, [short])).rejects.toThrow('"s": expected 8 bytes for F32 [2], got 4.');
  expect(await readdir(folder)).toEqual([]);
});
