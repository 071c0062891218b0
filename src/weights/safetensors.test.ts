import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CheckpointError, InputError } from "../base/errors.ts";
import { openSafetensors, parseSafetensors } from "./safetensors.ts";
import { writeSafetensors } from "./safetensors-write.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "seedling-safetensors-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** A file made by hand: the header as text, then the data. */
function handmade(header: string | Uint8Array, dataBytes = 0, claim?: bigint): Uint8Array {
  const json = Buffer.from(header);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(claim ?? BigInt(json.length));
  return Buffer.concat([length, json, Buffer.alloc(dataBytes)]);
}

const entry = (dtype: string, shape: unknown, range: unknown) => JSON.stringify({ dtype, shape, data_offsets: range });

describe("reading", () => {
  test("the fixture: names, shapes, offsets, numbers", async () => {
    const path = "test/fixtures/tiny-a/io.safetensors";
    const file = await openSafetensors(path);
    const codes = (await file.read("vq.indices")) as BigInt64Array;
    expect(file.tensors.get("vq.indices")).toMatchObject({ dtype: "I64", shape: [2, 32], byteLength: 512, file: path });
    expect(codes.every((code) => code >= 0n && code < 64n)).toBe(true);
    const whole = await readFile(path);
    for (const [name, { offset, byteLength, dtype }] of file.tensors) {
      expect(Buffer.from(await file.readBytes(name))).toEqual(whole.subarray(offset, offset + byteLength));
      if (dtype === "F32") expect((await file.readFloat32(name)).every(Number.isFinite)).toBe(true);
    }
    await expect(file.read("nothing")).rejects.toThrow(`${path}: expected a tensor "nothing", found none.`);
    await file.close();
  });

  test("every dtype, and a tensor at an odd offset", async () => {
    const header = `{"a":${entry("U8", [3], [0, 3])},"b":${entry("F32", [1], [3, 7])},"c":${entry("F16", [], [7, 9])},"d":${entry("F8_E4M3", [1], [9, 10])},"e":${entry("F64", [0, 9], [10, 10])}}`;
    const bytes = Buffer.from(handmade(header, 10));
    const data = bytes.length - 10;
    bytes.set([1, 2, 3], data);
    bytes.writeFloatLE(1.5, data + 3);
    bytes.writeUInt16LE(0x3c00, data + 7);
    const file = await parseSafetensors(bytes, "mem");
    expect(await file.read("a")).toEqual(Uint8Array.of(1, 2, 3));
    expect(await file.read("b")).toEqual(Float32Array.of(1.5));
    expect(await file.read("c")).toEqual(Float32Array.of(1));
    expect(await file.readFloat32("a")).toEqual(Float32Array.of(1, 2, 3));
    expect(await file.read("e")).toEqual(new Float64Array(0));
    await expect(file.read("d")).rejects.toThrow('mem "d": expected a dtype that can be converted, got F8_E4M3.');
  });

  test("a missing file and a folder", async () => {
    const error = await openSafetensors(join(folder, "none")).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(InputError);
    await expect(openSafetensors(folder)).rejects.toThrow(`${folder}: expected a file, got a folder.`);
  });

  test("__proto__ is a name like any other", async () => {
    const file = await parseSafetensors(handmade(`{"__proto__":${entry("U8", [1], [0, 1])}}`, 1), "mem");
    expect([...file.tensors.keys()]).toEqual(["__proto__"]);
    expect(await file.read("__proto__")).toEqual(Uint8Array.of(0));
    expect(({} as Record<string, unknown>).dtype).toBeUndefined();
  });
});

describe("refusals, one line each", () => {
  const a = `"a":${entry("U8", [4], [0, 4])}`;
  test.each<[string, Uint8Array, string]>([
    ["shorter than the length field", Buffer.alloc(5), "x: expected a safetensors file, got 5 bytes."],
    ["a header of gigabytes", handmade("{}", 0, 5_000_000_000n), "of at most 2 bytes, got a claim of 5000000000."],
    ["a header of 2^64-1", handmade("{}", 0, 2n ** 64n - 1n), "of at most 2 bytes"],
    ["not JSON", handmade("{a}"), "x: damaged header ("],
    ["a comma too many", handmade("{,}"), "x: damaged header (expected a name at character 1)."],
    ["a trailing comma", handmade(`{${a},}`, 4), "x: damaged header (expected a name at character 53)."],
    ["no value", handmade('{"a"}'), 'x: damaged header (expected ":" at character 4).'],
    ["no end", handmade(`{${a}`, 4), "x: damaged header (cut short)."],
    ["something after the end", handmade(`{${a}}}`, 4), "x: damaged header (text after the object)."],
    [
      "a bomb of brackets",
      handmade(`{"a":${"[".repeat(20_000)}`),
      'x: damaged header (the entry "a" has 20000 characters).',
    ],
    ["not an object", handmade("[]"), "x: damaged header (expected an object)."],
    ["not UTF-8", Buffer.concat([handmade("", 0, 1n), Buffer.of(0xff)]), "x: damaged header ("],
    ["a key twice", handmade(`{${a},${a}}`, 4), 'x: damaged header (duplicate key "a").'],
    [
      "a key twice inside",
      handmade(`{"a":{"dtype":"U8","dtype":"U8","shape":[0],"data_offsets":[0,0]}}`),
      'duplicate key "dtype"',
    ],
    ["unknown dtype", handmade(`{"a":${entry("Q7", [4], [0, 4])}}`, 4), '"a": unknown dtype "Q7".'],
    ["inherited dtype", handmade(`{"a":${entry("toString", [4], [0, 4])}}`, 4), 'unknown dtype "toString"'],
    [
      "a dtype that is an object",
      handmade('{"a":{"dtype":{"toString":1},"shape":[],"data_offsets":[0,0]}}'),
      '"a": unknown dtype an object.',
    ],
    ["negative shape", handmade(`{"a":${entry("U8", [-4], [0, 4])}}`, 4), '"a": expected a shape of whole numbers.'],
    ["fractional shape", handmade(`{"a":${entry("U8", [0.5], [0, 4])}}`, 4), "expected a shape of whole numbers"],
    ["a shape beyond 2^53", handmade(`{"a":${entry("U8", [2 ** 40, 2 ** 40], [0, 4])}}`, 4), "U8 [1099511627776,"],
    ["size and range differ", handmade(`{"a":${entry("F32", [3], [0, 4])}}`, 4), '"a": F32 [3] needs 12 bytes, got 4.'],
    [
      "beyond the file",
      handmade(`{"a":${entry("U8", [9], [0, 9])}}`, 4),
      "bytes 0..9 are not inside the 4 bytes of data",
    ],
    ["backwards", handmade(`{"a":${entry("U8", [4], [4, 0])}}`, 4), "bytes 4..0 are not inside"],
    ["overlap", handmade(`{${a},"b":${entry("U8", [4], [2, 6])}}`, 6), '"b" overlaps the tensor before it by 2 bytes.'],
    ["hole", handmade(`{${a},"b":${entry("U8", [1], [5, 6])}}`, 6), '1 bytes before "b" belong to no tensor.'],
    ["tail", handmade(`{${a}}`, 9), "the last 5 bytes belong to no tensor."],
    [
      "missing field",
      handmade(`{"a":{"dtype":"U8","shape":[]}}`),
      '"a": expected exactly dtype, shape and data_offsets.',
    ],
    ["metadata of numbers", handmade(`{"__metadata__":{"a":1}}`), "__metadata__: expected an object of strings)."],
    ["a name with a line break", handmade(`{"a\\nb":${entry("Q7", [], [0, 0])}}`), '"a\\nb": unknown dtype'],
  ])("%s", async (_, bytes, message) => {
    const error = (await parseSafetensors(bytes, "x").catch((e: unknown) => e)) as Error;
    expect(error).toBeInstanceOf(CheckpointError);
    expect(error.message).toContain(message);
    expect(error.message).not.toMatch(/[\r\n]/);
  });

  test("every wrong entry is listed, the message stays short", async () => {
    const wrong = Object.fromEntries("abcdef".split("").map((n) => [n, { dtype: n, shape: [], data_offsets: [0, 0] }]));
    const error = (await parseSafetensors(handmade(JSON.stringify(wrong)), "x").catch(
      (e: unknown) => e,
    )) as CheckpointError;
    expect(error.problems).toHaveLength(6);
    expect(error.message).toMatch(/"c": unknown dtype "c"; and 3 more\.$/);
  });
});

describe("headers of many megabytes", () => {
  const refusal = async (header: string | Uint8Array): Promise<CheckpointError> => {
    const error = await parseSafetensors(handmade(header), "x").catch((e: unknown) => e);
    expect(error).toBeInstanceOf(CheckpointError);
    expect((error as Error).message).toMatch(/^x: [^\r\n\u2028\u2029]{10,500}$/);
    return error as CheckpointError;
  };
  const empty = entry("U8", [0], [0, 0]);

  test("millions of wrong entries: the first ones are named, the rest is not read", async () => {
    const names = Array.from({ length: 1_000_000 }, (_, i) => `"${i.toString(36)}":0`);
    const { message, problems } = await refusal(`{${names.join()}}`);
    expect(problems).toHaveLength(20);
    expect(message).toMatch(/^x: damaged header: "0": expected exactly .*; and at least 17 more\.$/);
    const overlapping = Array.from({ length: 5000 }, (_, i) => `"${i}":${entry("U8", [1], [0, 1])}`);
    const bytes = handmade(`{${overlapping.join()}}`, 1);
    const error = (await parseSafetensors(bytes, "x").catch((e: unknown) => e)) as CheckpointError;
    expect(error.message).toMatch(/"1" overlaps the tensor before it by 1 bytes;.*at least 17 more\.$/);
  });

  test("more empty tensors than any file has", async () => {
    const names = Array.from({ length: 200_001 }, (_, i) => `"${i}":${empty}`);
    expect((await refusal(`{${names.join()}}`)).message).toContain("expected at most 200000 tensors, got more");
  });

  test.each<[string, string, string]>([
    ["notes of 11 MB", `{"a":"${"x".repeat(11e6)}"}`, "__metadata__ has 11000008 characters"],
    [
      "too many notes",
      `{${Array.from({ length: 10_001 }, (_, i) => `"${i}":""`).join()}}`,
      "__metadata__: expected at most 10000 notes, got more",
    ],
    ["a bomb of brackets", `{"a":${"[".repeat(1e6)}`, "__metadata__: expected an object of strings"],
    ["a list", "[]", "__metadata__: expected an object of strings"],
    ["a note twice", '{"a":"","a":""}', 'duplicate key "a"'],
  ])("__metadata__: %s", async (_, notes, message) => {
    expect((await refusal(`{"__metadata__":${notes}}`)).message).toContain(message);
  });

  test("a tensor of many dimensions", async () => {
    const bytes = handmade(`{"a":${entry("U8", Array(65).fill(1), [0, 1])}}`, 1);
    await expect(parseSafetensors(bytes, "x")).rejects.toThrow('"a": expected at most 64 dimensions, got 65.');
    expect((await refusal(`{"a":${entry("U8", Array(64).fill(2 ** 40), [0, 0])}}`)).message).toContain(
      "needs Infinity",
    );
  });

  test("100 MB of which nothing is wrong", async () => {
    const header = Buffer.alloc(100e6, " "); // writers pad with spaces
    header.write(`{"a":${empty},"__metadata__":{"k":"v"}}`);
    const file = await parseSafetensors(handmade(header), "x");
    expect([[...file.tensors.keys()], [...file.metadata]]).toEqual([["a"], [["k", "v"]]]);
    await expect(parseSafetensors(handmade(`${" ".repeat(100)}{}`, 0, 100_000_001n), "x")).rejects.toThrow(
      "of at most",
    );
  });
});

describe("writing", () => {
  test("what is written is read, aligned, sorted and always the same", async () => {
    const path = join(folder, "w.safetensors");
    const tensors = [
      { name: "b", dtype: "U8", shape: [3], data: Uint8Array.of(1, 2, 3) },
      { name: "z", dtype: "F32", shape: [2, 1], data: async () => Float32Array.of(0.5, -1) },
      { name: "half", dtype: "F16", shape: [3], data: Float32Array.of(1, 0.1, 65504) },
      { name: "ids", dtype: "I64", shape: [1], data: BigInt64Array.of(-7n) },
      { name: "brain", dtype: "BF16", shape: [], data: Float32Array.of(3) },
    ] as const;
    await writeSafetensors(path, tensors, { format: "pt" });
    const first = await readFile(path);
    await writeSafetensors(path, tensors.toReversed(), { format: "pt" });
    expect(await readFile(path)).toEqual(first);
    const file = await openSafetensors(path);
    expect([...file.tensors.keys()]).toEqual(["ids", "z", "brain", "half", "b"]);
    expect([...file.metadata]).toEqual([["format", "pt"]]);
    expect(file.tensors.get("ids")!.offset % 64).toBe(0);
    expect(await file.read("ids")).toEqual(BigInt64Array.of(-7n));
    expect(await file.read("z")).toEqual(Float32Array.of(0.5, -1));
    expect(await file.read("half")).toEqual(Float32Array.of(1, 0.0999755859375, 65504));
    expect(await file.read("brain")).toEqual(Float32Array.of(3));
    expect(await file.read("b")).toEqual(Uint8Array.of(1, 2, 3));
    await file.close();
  });

  test.each([
    [
      "a wrong count",
      { name: "a", dtype: "F32", shape: [2], data: Float32Array.of(1) },
      '"a": expected 8 bytes for F32 [2], got 4.',
    ],
    [
      "a wrong array",
      { name: "a", dtype: "F32", shape: [1], data: Uint8Array.of(1) },
      "expected a Float32Array for F32, got a Uint8Array.",
    ],
    [
      "overflow of F16",
      { name: "a", dtype: "F16", shape: [1], data: Float32Array.of(7e4) },
      "expected values within 65504 for F16, got 70000.",
    ],
  ] as const)("%s is refused and leaves no file", async (_, tensor, message) => {
    const before = await readdir(folder);
    await expect(writeSafetensors(join(folder, "bad"), [tensor])).rejects.toThrow(message);
    expect(await readdir(folder)).toEqual(before);
  });

  test("a name twice is refused", async () => {
    const tensor = { name: "a", dtype: "U8", shape: [0], data: new Uint8Array(0) } as const;
    await expect(writeSafetensors(join(folder, "bad"), [tensor, tensor])).rejects.toThrow(
      '"a" cannot be written twice',
    );
  });
});

describe("properties", () => {
  test("any tensors come back as they were", async () => {
    const tensor = fc.record({
      name: fc.string({ unit: "binary" }).filter((s) => s !== "__metadata__"),
      shape: fc.array(fc.nat(4), { maxLength: 3 }),
      dtype: fc.constantFrom("F32" as const, "U8" as const, "F64" as const),
      seed: fc.nat(255),
    });
    const path = join(folder, "p.safetensors");
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(tensor, { selector: (t) => t.name, maxLength: 6 }), async (list) => {
        const arrays = { F32: Float32Array, U8: Uint8Array, F64: Float64Array };
        const tensors = list.map(({ name, shape, dtype, seed }) => {
          const length = shape.reduce((p, n) => p * n, 1);
          return { name, shape, dtype, data: new arrays[dtype](Array.from({ length }, (_, i) => (seed + i) % 256)) };
        });
        await writeSafetensors(path, tensors);
        const file = await openSafetensors(path);
        expect(new Set(file.tensors.keys())).toEqual(new Set(tensors.map((t) => t.name)));
        for (const t of tensors) {
          expect(file.tensors.get(t.name)!.shape).toEqual(t.shape);
          expect(await file.read(t.name)).toEqual(t.data);
        }
        await file.close();
      }),
      { numRuns: 60 },
    );
  });

  test("damaged bytes are read or refused in one line", async () => {
    const path = join(folder, "good.safetensors");
    await writeFile(
      path,
      handmade(`{"a":${entry("F32", [2], [0, 8])},"__metadata__":{"k":"v"},"b":${entry("U8", [3], [8, 11])}}`, 11),
    );
    const good = await readFile(path);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(good.length - 1), fc.integer({ min: 0, max: 255 })), { maxLength: 4 }),
        fc.nat(good.length),
        fc.uint8Array({ maxLength: 12 }),
        fc.constantFrom("flip", "cut", "splice"),
        async (edits, at, extra, how) => {
          let bytes = Buffer.from(good);
          for (const [i, value] of edits) bytes[i] = value;
          if (how === "cut") bytes = bytes.subarray(0, at);
          if (how === "splice") bytes = Buffer.concat([bytes.subarray(0, at), extra, bytes.subarray(at)]);
          try {
            const file = await parseSafetensors(bytes, "x");
            for (const name of file.tensors.keys()) await file.readBytes(name);
          } catch (error) {
            expect(error).toBeInstanceOf(CheckpointError);
            expect((error as Error).message).not.toMatch(/[\r\n]/);
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});
