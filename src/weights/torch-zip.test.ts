import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  archive,
  call,
  instructions,
  named,
  plain,
  six,
  storage,
  tensor,
  type Value,
} from "../../test/torch-archive.ts";
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
