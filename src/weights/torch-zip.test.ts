import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deflateRawSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CheckpointError } from "../base/errors.ts";
import { openSafetensors } from "./safetensors.ts";
import { TorchTensor } from "./torch-tensor.ts";
import { openTorch } from "./torch-zip.ts";

const fixtures = "test/fixtures/tiny-a";
let path: string;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "seedling-torch-"));
  path = join(folder, "x.pt");
});
afterAll(() => rm(folder, { recursive: true }));

describe("files written by PyTorch", () => {
  test("a plain state dict equals its safetensors twin", async () => {
    const torch = await openTorch(`${fixtures}/model.pt`);
    const twin = await openSafetensors(`${fixtures}/model.safetensors`);
    const whole = await readFile(`${fixtures}/model.pt`);
    expect(torch.section).toBeUndefined();
    expect(new Set(torch.tensors.keys())).toEqual(new Set(twin.tensors.keys()));
    for (const [name, { dtype, shape, byteLength }] of twin.tensors) {
      const bytes = Buffer.from(await torch.readBytes(name));
      const info = torch.tensors.get(name)!;
      expect(info).toMatchObject({ dtype, shape, byteLength });
      expect(bytes.equals(Buffer.from(await twin.readBytes(name)))).toBe(true);
      // The offset points at the same bytes, so that a graph can use the file in place.
      expect(bytes.equals(whole.subarray(info.offset, info.offset! + byteLength))).toBe(true);
    }
    await torch.close();
    await twin.close();
  });

  test("a trainer's file: the model section, tied storages, plain values", async () => {
    const torch = await openTorch(`${fixtures}/stage1/checkpoint_0.pth`);
    const twin = await openSafetensors(`${fixtures}/stage1/model.safetensors`);
    expect(torch.section).toBe("model");
    const root = torch.root as Map<string, unknown>;
    expect([...root.keys()]).toEqual(["model", "optimizer", "config", "scaler", "epoch"]);
    expect(root.get("config")).toEqual(new Map([["run", new Map([["seed", 42]])]]));
    expect([root.get("scaler"), root.get("epoch")]).toEqual([null, 0]);
    const tied = torch.tensors.get("Qformer.cls.predictions.decoder.weight")!;
    expect(tied.storage).toBe(torch.tensors.get("Qformer.bert.embeddings.word_embeddings.weight")!.storage);
    expect(tied.offset).toBeGreaterThan(0);
    // The twin has no tied copies.
    const copies = [...torch.tensors.keys()].filter((name) => !twin.tensors.has(name));
    expect(copies.sort()).toEqual(["bias", "weight"].map((name) => `Qformer.cls.predictions.decoder.${name}`));
    for (const name of torch.tensors.keys()) {
      if (copies.includes(name)) continue;
      const bytes = Buffer.from(await torch.readBytes(name));
      expect(bytes.equals(Buffer.from(await twin.readBytes(name))), name).toBe(true);
    }
    await torch.close();
    await twin.close();
  });
});

// Zips and pickles by hand, so that they can lie.

interface Member {
  name: string;
  data: Uint8Array;
  deflate?: boolean;
  flags?: number;
  method?: number;
  /** Lies of the central directory. */
  size?: number;
  packedSize?: number;
  offset?: number;
}

function zip(members: Member[], { zip64 = false } = {}): Buffer {
  const parts: Buffer[] = [];
  const central: Buffer[] = [];
  let at = 0;
  for (const { name, data, deflate, flags = 0, method = deflate ? 8 : 0, ...lies } of members) {
    const stored = deflate ? deflateRawSync(data) : Buffer.from(data);
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(name.length, 26);
    const directory = Buffer.alloc(46);
    directory.writeUInt32LE(0x02014b50, 0);
    directory.writeUInt16LE(flags, 8);
    directory.writeUInt16LE(method, 10);
    const values = [lies.size ?? data.length, lies.packedSize ?? stored.length, lies.offset ?? at];
    const extra = Buffer.alloc(zip64 ? 28 : 0);
    if (zip64) {
      extra.writeUInt16LE(1, 0);
      extra.writeUInt16LE(24, 2);
      for (const [i, value] of values.entries()) extra.writeBigUInt64LE(BigInt(value), 4 + 8 * i);
    }
    for (const [i, field] of [24, 20, 42].entries()) directory.writeUInt32LE(zip64 ? 0xffffffff : values[i]!, field);
    directory.writeUInt16LE(name.length, 28);
    directory.writeUInt16LE(extra.length, 30);
    central.push(directory, Buffer.from(name), extra);
    parts.push(local, Buffer.from(name), stored);
    at += 30 + name.length + stored.length;
  }
  const directory = Buffer.concat(central);
  const end = Buffer.alloc(zip64 ? 98 : 22);
  if (zip64) {
    end.writeUInt32LE(0x06064b50, 0);
    end.writeBigUInt64LE(BigInt(members.length), 32);
    end.writeBigUInt64LE(BigInt(directory.length), 40);
    end.writeBigUInt64LE(BigInt(at), 48);
    end.writeUInt32LE(0x07064b50, 56);
    end.writeBigUInt64LE(BigInt(at + directory.length), 64);
  }
  end.writeUInt32LE(0x06054b50, end.length - 22);
  end.writeUInt16LE(zip64 ? 0xffff : members.length, end.length - 12);
  end.writeUInt32LE(zip64 ? 0xffffffff : directory.length, end.length - 10);
  end.writeUInt32LE(zip64 ? 0xffffffff : at, end.length - 6);
  return Buffer.concat([...parts, directory, end]);
}

/** Values -> pickle instructions; `raw` stands for itself. */
type Value =
  | null
  | boolean
  | number
  | string
  | Value[]
  | { raw: Buffer }
  | { dict: [Value, Value][] }
  | { tuple: Value[] };

function instructions(value: Value): Buffer {
  if (value === null) return Buffer.from("N");
  if (typeof value === "boolean") return Buffer.of(value ? 0x88 : 0x89);
  if (typeof value === "string")
    return Buffer.concat([Buffer.from("X"), u32(Buffer.byteLength(value)), Buffer.from(value)]);
  if (typeof value === "number") return Buffer.concat([Buffer.from("J"), u32(value)]);
  if (Array.isArray(value)) return Buffer.concat([Buffer.from("]("), ...value.map(instructions), Buffer.from("e")]);
  if ("raw" in value) return value.raw;
  const items = "tuple" in value ? value.tuple : value.dict.flat();
  const [open, close] = "tuple" in value ? ["(", "t"] : ["}(", "u"];
  return Buffer.concat([Buffer.from(open), ...items.map(instructions), Buffer.from(close)]);
}

function u32(n: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(n >>> 0);
  return bytes;
}

const named = (path: string): Value => ({ raw: Buffer.from(`c${path.replace(" ", "\n")}\n`) });
const call = (name: string, ...args: Value[]): Value => ({
  raw: Buffer.concat([instructions(named(name)), instructions({ tuple: args }), Buffer.from("R")]),
});
const storage = (type: string, key: string, length: number): Value => ({
  raw: Buffer.concat([
    instructions({ tuple: ["storage", named(`torch ${type}`), key, "cpu", length] }),
    Buffer.from("Q"),
  ]),
});
const tensor = (from: Value, begin: number, shape: number[], strides: number[]): Value =>
  call(
    "torch._utils _rebuild_tensor_v2",
    from,
    begin,
    { tuple: shape },
    { tuple: strides },
    false,
    call("collections OrderedDict"),
  );

const six = Buffer.from(Float32Array.of(0, 1, 2, 3, 4, 5).buffer);
const pickle = (value: Value) => Buffer.concat([Buffer.of(0x80, 2), instructions(value), Buffer.from(".")]);
const archive = (value: Value, more: Member[] = [{ name: "m/data/0", data: six }], options = {}) =>
  zip([{ name: "m/data.pkl", data: pickle(value) }, ...more], options);
const plain: Value = { dict: [["w", tensor(storage("FloatStorage", "0", 6), 0, [2, 3], [3, 1])]] };

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

describe("views", () => {
  test("transposed, sliced, repeated, scalar and empty", async () => {
    const from = storage("FloatStorage", "0", 6);
    const views = {
      transposed: tensor(from, 0, [3, 2], [1, 3]),
      column: tensor(from, 1, [2], [3]),
      row: tensor(from, 3, [3], [1]),
      repeated: tensor(from, 5, [2, 2], [0, 0]),
      scalar: tensor(from, 4, [], []),
      empty: tensor(from, 6, [0, 4], [4, 1]),
      parameter: call(
        "torch._utils _rebuild_parameter",
        tensor(from, 0, [1], [1]),
        true,
        call("collections OrderedDict"),
      ),
    };
    const file = await open(archive({ dict: Object.entries(views) }));
    const numbers = async (name: string) => [...((await file.read(name)) as Float32Array)];
    expect(await numbers("transposed")).toEqual([0, 3, 1, 4, 2, 5]);
    expect(await numbers("column")).toEqual([1, 4]);
    expect(await numbers("row")).toEqual([3, 4, 5]);
    expect(await numbers("repeated")).toEqual([5, 5, 5, 5]);
    expect(await numbers("scalar")).toEqual([4]);
    expect(await numbers("empty")).toEqual([]);
    expect(await numbers("parameter")).toEqual([0]);
    expect([...file.tensors].filter(([, { offset }]) => offset === undefined).map(([name]) => name)).toEqual([
      "transposed",
      "column",
      "repeated",
    ]);
    await file.close();
  });

  test("every storage type", async () => {
    const types = {
      Double: "F64",
      Float: "F32",
      Half: "F16",
      BFloat16: "BF16",
      Long: "I64",
      Int: "I32",
      Short: "I16",
      Char: "I8",
      Byte: "U8",
      Bool: "BOOL",
      ComplexFloat: "C64",
    };
    const list = Object.keys(types).map((t): [Value, Value] => [
      t,
      tensor(storage(`${t}Storage`, "0", 1), 0, [1], [1]),
    ]);
    const file = await open(archive({ dict: list }, [{ name: "m/data/0", data: Buffer.alloc(8) }]));
    expect([...file.tensors].map(([, { dtype }]) => dtype)).toEqual(Object.values(types));
    expect([...(await file.readFloat32("BFloat16"))]).toEqual([0]);
    await file.close();
  });

  test("dtypes without a storage class: views of plain bytes", async () => {
    const bytes: Value = {
      raw: Buffer.concat([
        instructions({ tuple: ["storage", named("torch.storage UntypedStorage"), "0", "cpu", 8] }),
        Buffer.from("Q"),
      ]),
    };
    const view = (dtype: string, count: number): Value =>
      call(
        "torch._utils _rebuild_tensor_v3",
        ...([bytes, 0, { tuple: [count] }, { tuple: [1] }, false, call("collections OrderedDict")] as Value[]),
        named(`torch ${dtype}`),
      );
    const members = [{ name: "m/data/0", data: Buffer.of(1, 2, 3, 4, 5, 6, 7, 8) }];
    const file = await open(
      archive(
        {
          dict: [
            ["a", view("float8_e4m3fn", 8)],
            ["b", view("uint16", 4)],
          ],
        },
        members,
      ),
    );
    expect([...file.tensors.values()].map(({ dtype, byteLength }) => [dtype, byteLength])).toEqual([
      ["F8_E4M3", 8],
      ["U16", 8],
    ]);
    expect(await file.read("b")).toEqual(Uint16Array.of(0x0201, 0x0403, 0x0605, 0x0807));
    await file.close();
    expect(await refusal(archive({ dict: [["a", view("uint32", 3)]] }, members))).toContain(
      "does not fit its storage of 2",
    );
    expect(await refusal(archive({ dict: [["a", view("FloatStorage", 1)]] }, members))).toContain(
      "a storage of bytes and a dtype",
    );
  });

  test("deflated records and zip64", async () => {
    const deflated = await open(archive(plain, [{ name: "m/data/0", data: six, deflate: true }]));
    expect(await deflated.read("w")).toEqual(Float32Array.of(0, 1, 2, 3, 4, 5));
    expect(deflated.tensors.get("w")!.offset).toBeUndefined();
    await deflated.close();
    const large = await open(archive(plain, undefined, { zip64: true }));
    expect(await large.read("w")).toEqual(Float32Array.of(0, 1, 2, 3, 4, 5));
    await large.close();
  });

  test("values of every kind; attributes of a dict are dropped", async () => {
    const withState = {
      raw: Buffer.concat([instructions(plain), instructions({ dict: [["_metadata", 1]] }), Buffer.from("b")]),
    };
    const long = { raw: Buffer.of(0x8a, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0xff) };
    const double = { raw: Buffer.of(0x47, 0xbf, 0xf8, 0, 0, 0, 0, 0, 0) };
    const values: Value = [true, null, -3, { tuple: ["é"] }, long, double, { raw: Buffer.of(0x8a, 1, 0xff) }];
    const file = await open(
      archive({
        dict: [
          ["state_dict", withState],
          ["extra", values],
        ],
      }),
    );
    expect(file.section).toBe("state_dict");
    const root = file.root as Map<string, unknown>;
    expect(root.get("extra")).toEqual([true, null, -3, ["é"], -(2n ** 64n), -1.5, -1]);
    expect((root.get("state_dict") as Map<string, unknown>).get("w")).toBeInstanceOf(TorchTensor);
    await file.close();
  });
});

describe("refusals", () => {
  test.each<[string, Value, string]>([
    ["a forbidden global", call("os system", "echo"), 'got the Python name "os.system". Nothing was executed'],
    ["a global with a line's worth of name", named(`a ${"b".repeat(500)}`), "bbb..."],
    ["builtins", call("builtins eval", "1"), '"builtins.eval"'],
    [
      "a function as a value that is called wrongly",
      { raw: Buffer.from("NNR") },
      "a call of something that is no function",
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
    ["names made of lists", { raw: Buffer.from("]]\u0093", "latin1") }, "a name that is no text"],
    ["leftovers", { raw: Buffer.from("NN") }, "values left over"],
    ["an unknown memo", { raw: Buffer.from("h\u0005") }, "unknown memo"],
    ["INST", { raw: Buffer.from("(ios\nsystem\n") }, "forbidden or unknown instruction 0x69"],
    ["attributes of a tensor", { raw: Buffer.from("]Nb") }, "attributes for something that is no dict"],
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
    ["bytes beyond the archive", [{ ...record, size: 5000, packedSize: 5000 }], "lies beyond the end of the archive"],
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
