import { copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { CheckpointError, InputError, SeedlingError } from "../base/errors.ts";
import { parseJson, parseWith, readJsonFile } from "../io/json-file.ts";
import { expectTensors, matchTensors } from "./match.ts";
import { openCheckpoint, openModelFolder } from "./model-folder.ts";
import { writeSafetensors } from "./safetensors-write.ts";
import { openShardedSafetensors } from "./sharded.ts";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "seedling-folder-"));
});
afterAll(() => rm(root, { recursive: true }));

const schema = z.strictObject({ width: z.int().min(1), name: z.string().optional() });
const parse = parseWith(schema);
const ones = (name: string, n: number) => ({
  name,
  dtype: "F32" as const,
  shape: [n],
  data: new Float32Array(n).fill(1),
});

async function folder(files: Record<string, string>): Promise<string> {
  const path = await mkdtemp(join(root, "model-"));
  for (const [name, text] of Object.entries(files)) await writeFile(join(path, name), text);
  return path;
}

async function failure(promise: Promise<unknown>): Promise<Error> {
  return promise.then(
    () => expect.fail("expected an error"),
    (error: Error) => error,
  );
}

describe("model folder", () => {
  test("config and weights", async () => {
    const path = await folder({ "config.json": '{ "width": 3 }' });
    await writeSafetensors(join(path, "model.safetensors"), [ones("a", 3)]);
    const { config, weights } = await openModelFolder(path, parse);
    expect(config.width).toBe(3);
    expect(await weights.read("a")).toEqual(Float32Array.of(1, 1, 1));
    await weights.close();
  });

  test("what is missing is named; a folder that lacks a file is a bad set-up", async () => {
    const empty = await folder({});
    const bare = await folder({ "notes.txt": "" });
    const gone = join(root, "gone");
    const half = await folder({ "config.json": '{"width":1}' });
    for (const [path, exitCode, message] of [
      [gone, 3, `${gone}: no such model folder. Check the path.`],
      [empty, 3, `${empty}: expected a model folder, got an empty folder. Check the path.`],
      [bare, 4, `${bare}: expected ${join(bare, "config.json")}, found none. Copy the whole model folder again.`],
      [half, 4, `${half}: expected ${join(half, "model.safetensors")}, found none. Copy the whole model folder again.`],
    ] as const) {
      const error = await failure(openModelFolder(path, parse));
      expect(error).toMatchObject({ exitCode, message });
    }
  });

  test("weights are opened by what they are, not by their name", async () => {
    const path = await folder({});
    await copyFile("test/fixtures/tiny-a/model.pt", join(path, "weights.bin"));
    const torch = await openCheckpoint(join(path, "weights.bin"));
    expect(torch.tensors.get("query_tokens")!.shape).toEqual([1, 32, 24]);
    await torch.close();
    await copyFile("test/fixtures/tiny-a/model.pt", join(path, "model.pt"));
    const inFolder = await openCheckpoint(path);
    expect(inFolder.path).toBe(join(path, "model.pt"));
    await inFolder.close();
    expect((await failure(openCheckpoint(join(path, "none")))).message).toContain("no such file or folder");
  });
});

describe("config.json", () => {
  test.each([
    ['{"width": 0}', "width: Too small: expected number to be >=1."],
    ['{"width": 1, "wdith": 2}', 'unknown key "wdith".'],
    ['{"width": 1, "a\\nb": 2}', 'unknown key "a\\nb".'],
    ['{"width": 1, "width": 2}', 'expected JSON (duplicate key "width"). Correct or copy the file again.'],
    ["{", "expected JSON ("],
    ["[1]", "Invalid input: expected object, received array."],
    ["{}", "width: Invalid input: expected number, received undefined."],
  ])("%s", async (text, message) => {
    const path = await folder({ "config.json": text });
    const error = await failure(openModelFolder(path, parse));
    expect(error).toBeInstanceOf(InputError);
    expect(error.message.startsWith(`${join(path, "config.json")}: ${message}`), error.message).toBe(true);
    expect(error.message).not.toMatch(/[\r\n]/);
  });

  test("more than a megabyte is refused unread", async () => {
    const path = await folder({ "config.json": " ".repeat(1_000_001) });
    const error = await failure(readJsonFile(join(path, "config.json")));
    expect(error.message).toBe(`${join(path, "config.json")}: expected at most 1000000 bytes, got 1000001.`);
  });

  test("damaged bytes are read or refused in one line", () => {
    const good = Buffer.from('{"width": 12, "name": "tiny \\u00e9 {[]}", "more": {"a": [1, 2, {"b": null}]}}');
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(good.length - 1), fc.integer({ min: 0, max: 255 })), { maxLength: 4 }),
        fc.nat(good.length),
        fc.uint8Array({ maxLength: 9 }),
        (edits, at, extra) => {
          const edited = Buffer.from(good);
          for (const [i, value] of edits) edited[i] = value;
          for (const bytes of [edited, edited.subarray(0, at), Buffer.concat([edited.subarray(0, at), extra])]) {
            try {
              parse(parseJson(bytes, "x"), "x");
            } catch (error) {
              expect(error).toBeInstanceOf(InputError);
              expect((error as Error).message).not.toMatch(/[\r\n]/);
            }
          }
        },
      ),
      { numRuns: 1000 },
    );
  });

  test("a repeated key is found wherever it stands, and only then", () => {
    const json = fc.jsonValue({ maxDepth: 3 });
    fc.assert(
      fc.property(json, (value) => {
        const text = JSON.stringify(value);
        expect(parseJson(Buffer.from(text), "x")).toEqual(JSON.parse(text));
        const nested = `[${text}, {"k": ${text}, "q\\"": 1, "\\u006b": 2}]`;
        expect(() => parseJson(Buffer.from(nested), "x")).toThrow('duplicate key "k"');
      }),
    );
  });
});

describe("shards", () => {
  const index = (map: Record<string, string>) => JSON.stringify({ metadata: { total_size: 1 }, weight_map: map });

  test("read as one file", async () => {
    const map = { a: "model-00001-of-00002.safetensors", b: "model-00002-of-00002.safetensors" };
    const path = await folder({ "config.json": '{"width":1}', "model.safetensors.index.json": index(map) });
    await writeSafetensors(join(path, map.a), [ones("a", 2)]);
    await writeSafetensors(join(path, map.b), [ones("b", 3), ones("unlisted", 1)], { format: "pt" });
    const { weights } = await openModelFolder(path, parse);
    expect([...weights.tensors.keys()]).toEqual(["a", "b"]);
    expect(weights.tensors.get("b")).toMatchObject({ shape: [3], file: join(path, map.b) });
    expect(await weights.readFloat32("b")).toEqual(Float32Array.of(1, 1, 1));
    expect(weights.metadata.get("format")).toBe("pt");
    await expect(weights.read("unlisted")).rejects.toThrow('expected a tensor "unlisted", found none.');
    await weights.close();
  });

  test.each(["../model.safetensors", "/etc/model.safetensors", "a/b.safetensors", "a\\b.safetensors", "..", "passwd"])(
    "a shard named %s is refused",
    async (name) => {
      const path = await folder({ "i.index.json": index({ a: name }) });
      await mkdir(join(path, "a"), { recursive: true });
      const error = await failure(openShardedSafetensors(join(path, "i.index.json")));
      expect(error).toBeInstanceOf(CheckpointError);
      expect(error.message).toContain("expected shards in the same folder, got");
    },
  );

  test.each<[string, string, string]>([
    ["no map", "{}", "damaged index (expected a weight_map, found none). Copy the file again."],
    ["a list", "[]", "damaged index (expected an object)."],
    ["a number for a shard", '{"weight_map":{"a":1}}', 'damaged index (weight_map, "a": expected a file name).'],
    ["a tensor twice", '{"weight_map":{"a":"s.safetensors","a":"s.safetensors"}}', 'duplicate key "a"'],
    ["a name of two lines", '{"weight_map":{"a":"s\\n.safetensors"}}', 'same folder, got "s\\n.safetensors".'],
    ["a name with a NUL", '{"weight_map":{"a":"s\\u0000.safetensors"}}', 'same folder, got "s\\u0000.safetensors".'],
    ["nonsense next to the map", '{"x":nonsense,"weight_map":{}}', "damaged index ("],
    ["megabytes next to the map", `{"x":"${"y".repeat(2e6)}","weight_map":{}}`, '"x" has 2000002 characters'],
    [
      "more shards than files can be open",
      index(Object.fromEntries(Array.from({ length: 1001 }, (_, i) => [`${i}`, `${i}.safetensors`]))),
      "expected at most 1000 shards, got more.",
    ],
    [
      "more tensors than there are",
      `{"weight_map":{${Array.from({ length: 200_001 }, (_, i) => `"${i}":"s.safetensors"`).join()}}}`,
      "expected at most 200000 tensors, got more",
    ],
  ])("an index with %s is refused", async (_, text, message) => {
    const path = await folder({ "i.index.json": text });
    const error = await failure(openShardedSafetensors(join(path, "i.index.json")));
    expect(error).toBeInstanceOf(CheckpointError);
    expect(error.message).toContain(message);
    expect(error.message).not.toMatch(/[\r\n]/);
  });

  test("of many missing tensors the first are named", async () => {
    const map = Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`t${i}`, "s.safetensors"]));
    const path = await folder({ "i.index.json": index(map) });
    await writeSafetensors(join(path, "s.safetensors"), [ones("a", 1)]);
    const error = (await failure(openShardedSafetensors(join(path, "i.index.json")))) as CheckpointError;
    expect(error.problems).toHaveLength(20);
    expect(error.message).toContain('"t2" is not in s.safetensors; and at least 17 more.');
  });

  test("any index is read or refused in one line", async () => {
    const path = await folder({});
    await writeSafetensors(join(path, "s.safetensors"), [ones("a", 2), ones("__proto__", 1)]);
    const file = join(path, "i.index.json");
    const shard = fc.oneof(
      { weight: 5, arbitrary: fc.constant("s.safetensors") },
      fc.string({ unit: "binary", maxLength: 9 }).map((name) => `${name}.safetensors`),
      fc.constantFrom("none.safetensors", `${"x".repeat(300)}.safetensors`, "../s.safetensors", ""),
      fc.jsonValue({ maxDepth: 1 }),
    );
    const name = fc.oneof(fc.constantFrom("a", "__proto__", "constructor"), fc.string({ unit: "binary" }));
    const map = fc.array(fc.tuple(name, shard), { maxLength: 4 });
    const text = map.map((entries) => entries.map((pair) => pair.map((v) => JSON.stringify(v)).join(":")).join());
    const whole = fc.oneof(
      { weight: 6, arbitrary: text.map((entries) => `{"metadata":{"total_size":1},"weight_map":{${entries}}}`) },
      { weight: 2, arbitrary: fc.json() },
      fc.tuple(text, fc.nat(40), fc.string()).map(([t, at, extra]) => {
        const json = `{"weight_map":{${t}}}`;
        return json.slice(0, at) + extra + json.slice(at);
      }),
    );
    let read = 0;
    await fc.assert(
      fc.asyncProperty(whole, async (json) => {
        await writeFile(file, json);
        try {
          const opened = await openShardedSafetensors(file);
          for (const tensor of opened.tensors.keys()) await opened.readBytes(tensor);
          read += opened.tensors.size;
          await opened.close();
        } catch (error) {
          expect(error).toBeInstanceOf(SeedlingError);
          expect([3, 4]).toContain((error as SeedlingError).exitCode);
          expect((error as Error).message).toMatch(/^[^\r\n\u2028\u2029]{10,1000}$/);
        }
      }),
      { numRuns: 300 },
    );
    expect(read).toBeGreaterThan(0);
  });

  test("a missing shard, a tensor that is not in its shard", async () => {
    const path = await folder({ "i.index.json": index({ a: "s.safetensors", b: "s.safetensors" }) });
    const missing = await failure(openShardedSafetensors(join(path, "i.index.json")));
    expect(missing).toBeInstanceOf(InputError);
    expect(missing.message).toContain("s.safetensors: no such file");
    await writeSafetensors(join(path, "s.safetensors"), [ones("a", 1)]);
    const lacking = await failure(openShardedSafetensors(join(path, "i.index.json")));
    expect(lacking.message).toBe(`${join(path, "i.index.json")}: "b" is not in s.safetensors.`);
  });
});

describe("matching names and shapes", () => {
  const info = (shape: number[]) => ({ dtype: "F32" as const, shape, byteLength: 0, file: "m" });
  const tensors = new Map([
    ["a", info([2, 3])],
    ["b", info([4])],
    ["old", info([])],
  ]);
  const expected: [string, number[]][] = [
    ["a", [3, 2]],
    ["b", [4]],
    ["c", [1]],
  ];

  test("every difference at once", () => {
    expect(matchTensors(tensors, expected)).toEqual({
      missing: ["c"],
      extra: ["old"],
      misshaped: [{ name: "a", expected: [3, 2], found: [2, 3] }],
    });
    const problems = ['"c" is missing', '"a": expected [3,2], got [2,3]', '"old" is not part of the model'];
    expect(() => expectTensors({ path: "m", tensors }, expected)).toThrow(
      `m: ${problems.join("; ")}. Do config.json and the weights belong together?`,
    );
    expect(() => expectTensors({ path: "m", tensors }, [["b", [4]]], { extra: true })).not.toThrow();
  });
});
