import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Rng } from "../base/rng.ts";
import { duplicates } from "./duplicates.ts";
import { nearest } from "./flat-search.ts";
import { codesOf, makeIndex, type PictureIndex, readIndex, toInt8, writeIndex } from "./picture-index.ts";

const WIDTH = 64;
const rng = new Rng(11);

function unit(values: Float32Array): Float32Array {
  const length = Math.hypot(...values);
  return values.map((value) => value / length);
}

function randomUnit(): Float32Array {
  const values = new Float32Array(WIDTH);
  rng.fillNormal(values);
  return unit(values);
}

function indexOf(vectors: readonly Float32Array[]): PictureIndex {
  const entries = vectors.map((vector, i) => ({
    picture: { path: `photos/${i} é.png`, sizeBytes: 10 + i, changedMs: 1000 * i },
    codes: Array.from({ length: 32 }, (_, k) => (i * 7 + k) % 8192),
    ...toInt8(vector),
  }));
  return makeIndex({ codebook: "abc", model: "mini", width: WIDTH }, entries);
}

describe("exact search", () => {
  const vectors = Array.from({ length: 500 }, randomUnit);
  const index = indexOf(vectors);
  const exact = (query: Float32Array): number[] =>
    vectors
      .map((vector, at) => ({ at, score: vector.reduce((sum, value, k) => sum + value * query[k]!, 0) }))
      .sort((a, b) => b.score - a.score)
      .map(({ at }) => at);

  test("finds what the float vectors say, to the rounding of int8", () => {
    let same = 0;
    for (let i = 0; i < 50; i++) {
      const query = randomUnit();
      const wanted = exact(query);
      const found = nearest(index, query, 5);
      expect(found.map(({ score }) => score)).toEqual([...found.map(({ score }) => score)].sort((a, b) => b - a));
      if (found[0]!.at === wanted[0]) same++;
      for (const { at } of found) expect(wanted.slice(0, 12)).toContain(at);
    }
    expect(same).toBeGreaterThan(45);
  });

  test("a picture finds itself first, and a filter leaves it out", () => {
    expect(nearest(index, vectors[17]!, 1)[0]).toMatchObject({ at: 17 });
    expect(nearest(index, vectors[17]!, 1, (at) => at !== 17)[0]!.at).not.toBe(17);
    expect(nearest(index, vectors[0]!, 1000)).toHaveLength(500);
  });
});

test("near duplicates are grouped, and nothing else", () => {
  const originals = Array.from({ length: 300 }, randomUnit);
  const near = originals.slice(0, 40).map((vector) => {
    const noise = randomUnit();
    return unit(vector.map((value, k) => value + 0.15 * noise[k]!));
  });
  const groups = duplicates(indexOf([...originals, ...near]), 0.97);
  const pairs = groups.map(({ pictures }) => pictures.join());
  expect(pairs.length).toBeGreaterThanOrEqual(38);
  for (const pair of pairs) {
    const [a, b] = pair.split(",").map(Number);
    expect(b).toBe(a! + 300);
  }
});

describe("on disk", () => {
  let folder: string;
  const index = indexOf(Array.from({ length: 7 }, randomUnit));
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "seedling index "));
    await writeIndex(folder, index);
  });
  afterEach(() => rm(folder, { recursive: true }));

  test("written and read back it is the same", async () => {
    const back = await readIndex(folder);
    expect(back).toEqual(index);
    expect(codesOf(back, 3)).toEqual(Array.from({ length: 32 }, (_, k) => 21 + k));
  });

  test.each([
    ["embeddings.bin", "expected 476 bytes, got 475"],
    ["codes.bin", "expected 364 bytes, got 363"],
    ["pictures.jsonl", "expected JSON"],
  ])("a short %s is one clear line", async (name, message) => {
    const bytes = await readFile(join(folder, name));
    await writeFile(join(folder, name), bytes.subarray(0, name === "pictures.jsonl" ? -5 : -1));
    await expect(readIndex(folder)).rejects.toThrow(message);
  });

  test.each([
    ['{"path":"a.png","sizeBytes":1}', "line 2: changedMs"],
    ['{"path":3,"sizeBytes":1,"changedMs":1}', "line 2: path"],
    ['{"path":"a","sizeBytes":1,"changedMs":1,"x":1}', 'line 2: unknown key "x"'],
    ["null", "line 2: "],
  ])("a line that is not a picture is named: %s", async (line, message) => {
    const path = join(folder, "pictures.jsonl");
    const lines = (await readFile(path, "utf8")).split("\n");
    await writeFile(path, lines.with(1, line).join("\n"));
    await expect(readIndex(folder)).rejects.toThrow(message);
  });

  test("a folder without an index, and none at all, are named", async () => {
    const message = `${folder}: expected an index of pictures, found none. Make one with seedling index.`;
    await rm(join(folder, "index.json"));
    await expect(readIndex(folder)).rejects.toThrow(message);
    await expect(readIndex(join(folder, "none"))).rejects.toMatchObject({ exitCode: 3 });
  });

  test("sizes are checked before anything is read", async () => {
    await writeFile(
      join(folder, "index.json"),
      JSON.stringify({ format: "seedling-index-1", codebook: "", model: "", width: 64, pictures: 1e9 }),
    );
    await expect(readIndex(folder)).rejects.toThrow("pictures");
  });
});
