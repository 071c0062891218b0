/** Both kinds of index, made and brought up to date. LanceDB is optional: its tests run where it is installed. */
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Rng } from "../base/rng.ts";
import { subVectors } from "./lance/lance-writer.ts";
import { importLance } from "./lance/lancedb.ts";
import { openIndex, openIndexWriter } from "./open-index.ts";
import type { IndexWriter, NewEntry } from "./search-index.ts";

const WIDTH = 16;
const ABOUT = { codebook: "abc", model: "mini" };
/** LanceDB's tests are skipped without it, and required where SEEDLING_REQUIRE_LANCEDB is set, as in CI. */
const hasLance =
  process.env["SEEDLING_REQUIRE_LANCEDB"] !== undefined ||
  (await importLance().then(
    () => true,
    () => false,
  ));

function entry(i: number, changedMs = 1000 * i): NewEntry {
  const vector = new Float32Array(WIDTH);
  new Rng(i + 1).fillNormal(vector);
  const length = Math.hypot(...vector);
  return {
    picture: { path: `${i % 2 ? "odd" : "even"}/${i} é's.png`, sizeBytes: 10 + i, changedMs },
    codes: Array.from({ length: 32 }, (_, k) => (i * 7 + k) % 8192),
    vector: vector.map((value) => value / length),
  };
}

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "seedling index "));
});
afterEach(() => rm(root, { recursive: true }));

async function using<T>(writer: IndexWriter, use: (writer: IndexWriter) => Promise<T>): Promise<T> {
  try {
    return await use(writer);
  } finally {
    await writer.close();
  }
}

describe.each([
  ["flat", "p.index", true],
  ["LanceDB", "p.lance", hasLance],
] as const)("%s", (_, name, available) => {
  const folder = (): string => join(root, name);
  const write = async <T>(use: (writer: IndexWriter) => Promise<T>, rebuild = false): Promise<T> =>
    using(await openIndexWriter(folder(), ABOUT, rebuild), use);
  const paths = async (query = entry(3).vector, filter = {}): Promise<string[]> => {
    const index = await openIndex(folder());
    const found = await index.nearest(query, 50, filter);
    await index.close();
    return found.map(({ path }) => path);
  };

  test.skipIf(!available)("keeps what is the same, replaces what has changed, leaves out what is gone", async () => {
    const made = await write(async (writer) => {
      expect(writer.before).toBeUndefined();
      expect(writer.keep(entry(0).picture)).toBe(false);
      await writer.add([0, 1, 2, 3].map((i) => entry(i)));
      await writer.add([entry(4), entry(4)]); // named twice
      return writer.finish();
    });
    expect(made).toEqual({ size: 5, added: 5, replaced: 0, kept: 0, removed: 0 });
    const changed = { ...entry(9), picture: { ...entry(2).picture, changedMs: 1 } };
    const again = await write(async (writer) => {
      expect(writer.before).toEqual({ ...ABOUT, width: WIDTH, size: 5 });
      expect([0, 1, 4].map((i) => writer.keep(entry(i).picture))).toEqual([true, true, true]);
      expect(writer.keep(changed.picture)).toBe(false);
      await writer.add([changed, entry(5)]);
      return writer.finish();
    });
    expect(again).toEqual({ size: 5, added: 1, replaced: 1, kept: 3, removed: 1 });
    expect((await paths()).sort()).toEqual([0, 1, 2, 4, 5].map((i) => entry(i).picture.path).sort());
    const index = await openIndex(folder());
    const [best] = await index.nearest(entry(9).vector, 1);
    expect(best).toMatchObject({ ...changed.picture, codes: entry(9).codes });
    expect(best!.score).toBeGreaterThan(0.99);
    expect(await index.pathOf(best!.id)).toBe(changed.picture.path);
    expect((await index.load()).pictures).toHaveLength(5);
    await index.close();
    expect(await write((writer) => writer.add([entry(7)]).then(() => writer.finish()), true)).toMatchObject({
      size: 1,
    });
    expect(await paths()).toEqual([entry(7).picture.path]);
  });

  test.skipIf(!available)("what is saved before the end stays, next to what the index had", async () => {
    await write(async (writer) => {
      await writer.add([entry(0), entry(1)]);
      await writer.finish();
    });
    await write(async (writer) => {
      await writer.add([entry(2)]);
      await writer.save();
      await writer.add([entry(3)]); // and the process ends
    });
    expect((await paths()).sort()).toEqual([0, 2, 1].map((i) => entry(i).picture.path));
  });

  test.skipIf(!available)("filters by path and date, also where few pictures are left", async () => {
    await write(async (writer) => {
      await writer.add(Array.from({ length: 300 }, (_, i) => entry(i)));
      await writer.finish();
    });
    const found = await paths(entry(3).vector, { path: "odd/*7 *", since: 20_000, until: 80_000 });
    expect(found.sort()).toEqual([27, 37, 47, 57, 67, 77].map((i) => entry(i).picture.path));
    expect(await paths(entry(3).vector, { path: "!**/*.png" })).toEqual([]);
    const [best] = await paths(entry(30).vector);
    expect(best).toBe(entry(30).picture.path);
  });

  test.skipIf(!available)("a folder of other things is never replaced", async () => {
    await mkdir(folder());
    await writeFile(join(folder(), "photo.png"), "");
    for (const rebuild of [false, true])
      await expect(openIndexWriter(folder(), ABOUT, rebuild)).rejects.toThrow(
        `${folder()}: expected an index of pictures or a new folder, got one with photo.png in it. Name another.`,
      );
    expect(await readdir(folder())).toEqual(["photo.png"]);
  });
});

test("vectors of any width are quantized in equal parts", () => {
  expect([256, 768, 32, 10, 6, 257, 1].map(subVectors)).toEqual([64, 64, 8, 2, 1, 1, 1]);
});

test("without LanceDB one line says what to install", async () => {
  await expect(importLance("@lancedb/not-there")).rejects.toThrow(
    "LanceDB: expected the package @lancedb/not-there, found none. Install it: npm install @lancedb/not-there; or use an index whose name does not end in .lance, which needs nothing.",
  );
});

test.skipIf(!hasLance)("a damaged index of LanceDB is one clear line", async () => {
  const folder = join(root, "p.lance");
  await using(await openIndexWriter(folder, ABOUT), async (writer) => {
    await writer.add([entry(0)]);
    await writer.finish();
  });
  const data = join(folder, "pictures.lance", "data");
  for (const name of await readdir(data)) await writeFile(join(data, name), "none");
  const index = await openIndex(folder).catch((error: Error) => error);
  const failed =
    index instanceof Error ? index : await index.nearest(entry(0).vector, 1).catch((error: Error) => error);
  expect(String(failed)).toMatch(
    /p\.lance: LanceDB failed \(.+\)\. If the index is damaged, make it again with --rebuild\.$/,
  );
});
