/** Torch files that are damaged or hostile: one line each, and nothing is allocated for what they claim. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  archive,
  call,
  instructions,
  type Member,
  named,
  plain,
  six,
  storage,
  tensor,
  type Value,
  zip,
} from "../../test/torch-archive.ts";
import { CheckpointError } from "../base/errors.ts";
import { openTorch } from "./torch-zip.ts";

const _fixtures = "test/fixtures/tiny-a";
let path: string;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "seedling-torch-"));
  path = join(folder, "x.pt");
});
afterAll(() => rm(folder, { recursive: true }));

async function open(bytes: Uint8Array) {
  await writeFile(path, bytes);
  return openTorch(path);
}

async function refusal(bytes: Uint8Array): Promise<string> {
  const error = await open(bytes).then(
    () => expect.fail("expected a refusal"),
    (e: unknown) => e,
  );
  expect(error).toBeInstanceOf(CheckpointError);
  expect((error as Error).message).not.toMatch(/[\r\n]/);
  return (error as Error).message;
}

describe("refusals", () => {
  test.each<[string, Value, string]>([
    ["a forbidden global", call("os system", "echo"), 'got the Python name "os.system". Nothing was executed'],
    ["a global with a line's worth of name", named(`a ${"b".repeat(500)}`), "bbb..."],
    ["builtins", call("builtins eval", "1"), '"builtins.eval"'],
    [
      "a function as a value that is called wrongly",
      { raw: Buffer.from("NNR") },
      "a call of something that is not a function",
    ],
    ["no arguments", call("torch._utils _rebuild_tensor_v2"), "expected a storage, an offset, a shape and strides"],
    ["odd pairs", call("collections OrderedDict", [1]), "expected an OrderedDict of pairs"],
    ["a foreign persistent id", { raw: Buffer.from("K\u0001Q") }, "expected a reference to a storage"],
    [
      "a record that is missing",
      { dict: [["w", tensor(storage("FloatStorage", "7", 6), 0, [6], [1])]] },
      'the storage record "7", found none',
    ],
    [
      "a storage beyond its record",
      { dict: [["w", tensor(storage("FloatStorage", "0", 7), 0, [7], [1])]] },
      "expected 28 bytes, the record has 24",
    ],
    [
      "a view beyond its storage",
      { dict: [["w", tensor(storage("FloatStorage", "0", 6), 1, [6], [1])]] },
      "a view [6] with strides [1] from 1 does not fit",
    ],
    [
      "a repeat bomb",
      { dict: [["w", tensor(storage("FloatStorage", "0", 6), 0, [2 ** 31 - 1], [0])]] },
      "does not fit its storage of 6 elements",
    ],
    [
      "negative strides",
      { dict: [["w", tensor(storage("FloatStorage", "0", 6), 5, [2], [-1])]] },
      "a shape and strides",
    ],
    [
      "nothing to find",
      { dict: [["a", 1]] },
      "expected a dict of tensors, or one under model, state_dict, model_state_dict, module or the like; found none",
    ],
    ["names made of lists", { raw: Buffer.from("]]\u0093", "latin1") }, "a name that is not text"],
    ["leftovers", { raw: Buffer.from("NN") }, "values left over"],
    ["an unknown memo", { raw: Buffer.from("h\u0005") }, "unknown memo"],
    ["INST", { raw: Buffer.from("(ios\nsystem\n") }, "forbidden or unknown instruction 0x69"],
    ["attributes of a tensor", { raw: Buffer.from("]Nb") }, "attributes for something that is not a dict"],
    ["a string longer than the file", { raw: Buffer.from("X\u007f\u007f\u007f\u007f") }, "cut short"],
  ])("%s", async (_, value, message) => {
    expect(await refusal(archive(value))).toContain(message);
  });

  const record = { name: "m/data/0", data: six };
  test.each<[string, Member[], string]>([
    ["encryption", [{ ...record, flags: 1 }], "encrypted; unpack it"],
    ["an unknown method", [{ ...record, method: 12 }], "packed by method 12"],
    ["traversal", [record, { name: "../evil", data: six }], 'entry "../evil": the name leaves the archive'],
    ["an absolute name", [record, { name: "/etc/x", data: six }], "the name leaves the archive"],
    ["a name twice", [record, record], "duplicate zip entry"],
    ["a stored size that lies", [{ ...record, size: 4_000_000_000 }], "claims 4000000000 bytes, holds 24"],
    ["bytes beyond the archive", [{ ...record, size: 5000, packedSize: 5000 }], "is beyond the end of the archive"],
    ["entries that overlap", [{ ...record, offset: 0 }], "damaged zip, entry"],
    [
      "a big-endian file",
      [record, { name: "m/byteorder", data: Buffer.from("big") }],
      'expected little-endian numbers, got "big"',
    ],
    ["TorchScript", [record, { name: "m/constants.pkl", data: six }], "got a TorchScript program"],
    ["two pickles", [record, { name: "n/data.pkl", data: six }], "expected one data.pkl in the archive, found 2"],
  ])("%s", async (_, members, message) => {
    expect(await refusal(archive(plain, members))).toContain(message);
  });

  test("a deflated size that lies, both ways", async () => {
    for (const size of [20, 28]) {
      const file = await open(archive(plain, [{ ...record, deflate: true, size: 24 }]));
      await file.close();
      const members = [{ ...record, deflate: true, size }];
      const opened = await open(
        archive({ dict: [["w", tensor(storage("FloatStorage", "0", 5), 0, [5], [1])]] }, members),
      );
      await expect(opened.read("w")).rejects.toThrow(/entry "m\/data\/0": (damaged|28 bytes claimed)/);
      await opened.close();
    }
    const bomb = [{ ...record, deflate: true, size: 2 ** 31 }];
    expect(await refusal(archive(plain, bomb))).toMatch(/claims 2147483648 bytes, holds \d+/);
  });

  test("pickles that ask for much memory, deflated to little", async () => {
    const packed = (data: Buffer) =>
      zip([
        { name: "m/data.pkl", data, deflate: true },
        { name: "m/data/0", data: six },
      ]);
    const dict = Buffer.from("ccollections\nOrderedDict\nq\u0001");
    const pairs = Buffer.concat(
      Array.from({ length: 1000 }, (_, i) => Buffer.from(`X\u0004\0\0\0${1000 + i}N\u0086`, "latin1")),
    );
    const call = Buffer.from("h\u0001h\u0002R");
    const bombs = [
      Buffer.alloc(15_000_000, "}"),
      Buffer.concat([dict, Buffer.from("]("), pairs, Buffer.from("e\u0085q\u0002", "latin1"), Buffer.alloc(5e6, call)]),
    ];
    for (const bomb of bombs) {
      const bytes = packed(bomb);
      expect(bytes.length).toBeLessThan(100_000);
      expect(await refusal(bytes)).toContain("expected a pickle of at most 2000000 items in all, got more.");
    }
    expect(await refusal(packed(Buffer.alloc(17_000_000, "}")))).toContain(
      "expected a data.pkl of at most 16777216 bytes",
    );
  });

  test("a shape that grows after it was checked", async () => {
    // The shape is a list under memo 7; once the tensor is there, a million is appended to it.
    const shape: Value = { raw: Buffer.concat([instructions([2, 3]), Buffer.from("q\u0007")]) };
    const view = call("torch._utils _rebuild_tensor_v2", storage("FloatStorage", "0", 6), 0, shape, [3, 1]);
    const longer = { raw: Buffer.concat([Buffer.from("h\u0007"), instructions(1_000_000), Buffer.from("a")]) };
    const file = await open(
      archive({
        dict: [
          ["w", view],
          ["shape", longer],
        ],
      }),
    );
    expect((file.root as Map<string, unknown>).get("shape")).toEqual([2, 3, 1_000_000]);
    expect(file.tensors.get("w")!.shape).toEqual([2, 3]);
    expect(await file.read("w")).toEqual(Float32Array.of(0, 1, 2, 3, 4, 5));
    await file.close();
  });

  test("a message about a view of many dimensions stays short", async () => {
    const shape = Array.from({ length: 64 }, () => 2 ** 31 - 1);
    const message = await refusal(archive({ dict: [["w", tensor(storage("FloatStorage", "0", 6), 0, shape, shape)]] }));
    expect(message).toContain("does not fit its storage of 6 elements");
    expect(message.length).toBeLessThan(600);
  });

  test("any pickle of tensors and instructions is read or refused in one line", async () => {
    const size = fc.constantFrom(0, 1, 2, 3, 6, 7, 2 ** 31 - 1, -1);
    const sizes = fc.array(size, { maxLength: 3 });
    const storages = fc
      .tuple(fc.constantFrom("FloatStorage", "HalfStorage", "LongStorage"), fc.constantFrom("0", "1", "../0"), size)
      .map((args) => storage(...args));
    const views = fc.tuple(storages, size, sizes, sizes).map((args) => tensor(...args));
    const letters = [..."]})N(aestubR0Qq\u0000h\u0000\u0085\u0086\u0094"].map((letter) => ({
      raw: Buffer.from(letter, "latin1"),
    }));
    const piece: fc.Arbitrary<Value> = fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom(...letters) },
      fc.constantFrom<Value[]>(null, 1, "w", "model", named("collections OrderedDict"), named("torch FloatStorage")),
      views,
      storages,
    );
    const root = fc.oneof(
      fc
        .array(fc.tuple(fc.string({ unit: "binary", maxLength: 9 }), views), { maxLength: 4 })
        .map((dict) => ({ dict })),
      fc.array(piece, { maxLength: 12 }).map((list) => ({ dict: [["w", list]] as [Value, Value][] })),
      fc.array(piece, { maxLength: 12 }).map((list) => ({ raw: Buffer.concat(list.map(instructions)) })),
    );
    await fc.assert(
      fc.asyncProperty(root, async (value) => {
        try {
          const file = await open(archive(value));
          try {
            for (const name of file.tensors.keys()) await file.readBytes(name);
          } finally {
            await file.close();
          }
        } catch (error) {
          expect(error).toBeInstanceOf(CheckpointError);
          expect((error as Error).message).toMatch(/^[^\r\n\u2028\u2029]{10,700}$/);
        }
      }),
      { numRuns: 300 },
    );
  });

  test("other kinds of files", async () => {
    expect(await refusal(Buffer.alloc(0))).toContain("expected a zip archive, found no end record");
    expect(await refusal(Buffer.from("just some text, long enough to hold a record"))).toContain(
      "expected a zip archive",
    );
    expect(await refusal(Buffer.of(0x80, 2, 0x8a, 10, 1, 2, 3))).toContain(
      "before PyTorch 1.6. Load and save it again.",
    );
    expect(await refusal(zip([record]))).toContain("expected one data.pkl in the archive, found 0");
  });

  test("damaged bytes are read or refused in one line", async () => {
    const samples = [
      archive(plain),
      archive(plain, [{ ...record, deflate: true }]),
      archive(plain, undefined, { zip64: true }),
    ];
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...samples),
        fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 4 }),
        fc.nat(),
        fc.uint8Array({ maxLength: 9 }),
        fc.constantFrom("flip", "cut", "splice"),
        async (good, edits, cut, extra, how) => {
          let bytes = Buffer.from(good);
          for (const [i, value] of edits) bytes[i % bytes.length] = value;
          const at = cut % bytes.length;
          if (how === "cut") bytes = bytes.subarray(0, at);
          if (how === "splice") bytes = Buffer.concat([bytes.subarray(0, at), extra, bytes.subarray(at)]);
          try {
            const file = await open(bytes);
            try {
              for (const name of file.tensors.keys()) await file.readBytes(name);
            } finally {
              await file.close();
            }
          } catch (error) {
            expect(error).toBeInstanceOf(CheckpointError);
            expect((error as Error).message).not.toMatch(/[\r\n]/);
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});
