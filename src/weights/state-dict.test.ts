import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { copyTensor } from "./copy-tensor.ts";
import { inspectFile } from "./inspect.ts";
import { parseSafetensors } from "./safetensors.ts";
import { findStateDict, unwrapNames } from "./state-dict.ts";
import { TorchTensor } from "./torch-tensor.ts";

const FAULTS = "test/fixtures/faults";
const tensor = (): TorchTensor =>
  new TorchTensor({ key: "0", dtype: "F32", length: 0, entry: undefined! }, 0, [0], [1]);

/** Dicts of Python: letters of a text are the names of tensors. */
type Dict = { [key: string]: string | number | Dict };
const dictOf = (value: Dict): Map<string, unknown> =>
  new Map(
    Object.entries(value).flatMap(([key, own]): [string, unknown][] =>
      typeof own === "string"
        ? key === ""
          ? [...own].map((name) => [name, tensor()])
          : [[key, dictOf({ "": own })]]
        : [[key, typeof own === "number" ? own : dictOf(own)]],
    ),
  );
const find = (value: Dict) => {
  const { tensors, section, elsewhere } = findStateDict(dictOf(value), "a.pt");
  return [[...tensors.keys()].join(""), section, ...elsewhere];
};

describe("where the tensors are", () => {
  test.each<[string, Dict, unknown[]]>([
    ["a plain state dict", { "": "ab" }, ["ab", undefined]],
    [
      "a trainer's",
      { model: "ab", optimizer: { state: "xy" }, epoch: 3 },
      ["ab", "model", '2 under "optimizer.state"'],
    ],
    ["a score next to it", { state_dict: "ab", "": "s" }, ["ab", "state_dict", '"s"']],
    ["trained weights before their average", { ema: "cd", model: "ab" }, ["ab", "model", '2 under "ema"']],
    ["an average alone", { ema: "cd", step: 1 }, ["cd", "ema"]],
    ["a section in a section", { model: { module: "ab" } }, ["ab", "model.module"]],
    ["DeepSpeed's", { module: "ab", "": "r" }, ["ab", "module", '"r"']],
    ["an unknown name, the only one", { teacher: "ab" }, ["ab", "teacher"]],
    ["a flat dict with a name among its own", { "": "abcd", model: "e" }, ["abcd", undefined, '1 under "model"']],
  ])("%s", (_, saved, expected) => expect(find(saved)).toEqual(expected));

  test("none, or several under unknown names, are refused", () => {
    expect(() => find({ epoch: 1 })).toThrow("module or the like; found none.");
    expect(() => find({ teacher: "a", student: "b" })).toThrow('or the like; found "teacher", "student".');
    expect(() => findStateDict([tensor()], "a.pt")).toThrow("found none");
  });

  test("a dict that is referred to a hundred thousand times costs one look", () => {
    const shared = dictOf({ "": "ab" });
    for (let i = 0; i < 1e5; i++) shared.set(`n${i}`, i);
    const root = new Map<string, unknown>([["model", dictOf({ "": "a" })]]);
    for (let i = 0; i < 1e5; i++) root.set(`x${i}`, shared);
    const start = process.cpuUsage();
    expect(findStateDict(root, "a.pt").section).toBe("model");
    expect(process.cpuUsage(start).user).toBeLessThan(2e6); // µs
  });
});

describe("files", () => {
  test.each([
    ["imagenet.pth.tar", "state_dict", ['"best_acc1"']],
    ["ema.pt", "ema", undefined],
  ])("%s", async (name, section, elsewhere) => {
    const file = await inspectFile(`${FAULTS}/torch/${name}`, { hash: false });
    expect(file).toMatchObject({ section });
    expect(file.elsewhere).toEqual(elsewhere);
    expect(file.tensors.length).toBeGreaterThan(0);
  });

  test.each([
    ["F8_E8M0", 2, 2],
    ["C64", 2, 16],
  ])("safetensors with %s are listed", async (dtype, count, bytes) => {
    const { tensors } = await inspectFile(`${FAULTS}/safetensors/dtype-${dtype}.safetensors`);
    expect(tensors).toEqual([{ name: "w", dtype, shape: [count], bytes, notFinite: undefined }]);
  });
});

test("packed dtypes: sizes in whole bytes, listed and read as bytes, never as numbers", async () => {
  const open = (dtype: string, count: number, bytes: number) => {
    const header = JSON.stringify({ w: { dtype, shape: [count], data_offsets: [0, bytes] } });
    const length = Buffer.alloc(8);
    length.writeUInt32LE(header.length);
    return parseSafetensors(Buffer.concat([length, Buffer.from(header), Buffer.alloc(bytes, 7)]), "a.safetensors");
  };
  for (const [dtype, count, bytes] of [
    ["F4", 4, 2],
    ["F6_E2M3", 4, 3],
    ["F6_E3M2", 8, 6],
    ["F8_E4M3FNUZ", 3, 3],
    ["C64", 1, 8],
  ] as const) {
    const file = await open(dtype, count, bytes);
    expect(file.tensors.get("w")).toMatchObject({ dtype, byteLength: bytes });
    const copy = copyTensor(file, "w").data as () => Promise<Uint8Array>;
    expect(await copy()).toEqual(new Uint8Array(bytes).fill(7));
    await expect(file.read("w")).rejects.toThrow(`expected a dtype that can be converted, got ${dtype}.`);
  }
  await expect(open("F4", 3, 2)).rejects.toThrow('"w": F4 [3] needs 1.5 bytes, got 2');
});

describe("names without wrappers", () => {
  const unwrapped = (...names: string[]) => {
    const { names: found, wrappers } = unwrapNames(names);
    return [[...found.values()], wrappers];
  };

  test("module. in front of all, _orig_mod. and its like anywhere", () => {
    expect(unwrapped("module.a", "module.b.c")).toEqual([["a", "b.c"], ["module."]]);
    expect(unwrapped("_orig_mod.module.a")).toEqual([["a"], ["_orig_mod.", "module."]]);
    expect(unwrapped("module._orig_mod.a")).toEqual([["a"], ["_orig_mod.", "module."]]);
    expect(unwrapped("tower._orig_mod.a", "head._checkpoint_wrapped_module.b")).toEqual([
      ["tower.a", "head.b"],
      ["_orig_mod.", "_checkpoint_wrapped_module."],
    ]);
    expect(unwrapped("n_averaged", "module.a")).toEqual([["n_averaged", "a"], ["module."]]);
  });

  test("what is not in front of all names, or would make two alike, stays", () => {
    for (const names of [["module.a", "b"], ["a", "_orig_mod.a"], ["modules.a"], ["n_averaged"], []])
      expect(unwrapped(...names)).toEqual([names, []]);
  });

  test("any names: as many, all different, and nothing more to take off", () => {
    const segment = fc.constantFrom("module", "_orig_mod", "a", "b", "", "n_averaged");
    const name = fc.array(segment, { minLength: 1, maxLength: 5 }).map((parts) => parts.join("."));
    fc.assert(
      fc.property(fc.uniqueArray(name, { maxLength: 6 }), (all) => {
        const { names, wrappers } = unwrapNames(all);
        expect([...names.keys()]).toEqual(all);
        expect(new Set(names.values()).size).toBe(all.length);
        if (wrappers.length > 0) expect(unwrapNames(names.values()).wrappers).toEqual([]);
      }),
    );
  });
});
