import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { decodeImage } from "../image/index.ts";
import { loadAtlas, openAtlas, packAtlas } from "./atlas.ts";
import { contactSheet, wrap } from "./sheet.ts";

const FIXTURE = "test/fixtures/sprites.bin.br";
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "seedling-atlas-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test("an atlas file comes back as it was written, all of it or some nouns and styles", async () => {
  const { sprites } = await loadAtlas(FIXTURE);
  const file = join(folder, "atlas.bin");
  await writeFile(file, packAtlas(sprites));
  // As bytes: comparing two million numbers one by one takes seconds.
  expect(Buffer.compare(packAtlas((await loadAtlas(file)).sprites), packAtlas(sprites))).toBe(0);
  const some = await loadAtlas(file, { nouns: ["apple", "dog"], styles: ["noto"] });
  expect(some.sprites.map(({ noun, style }) => `${noun} ${style}`)).toEqual(["apple noto", "dog noto"]);
});

test("a damaged or missing atlas file is named", async () => {
  const file = join(folder, "atlas.bin");
  const bytes = packAtlas((await loadAtlas(FIXTURE, { nouns: ["apple"] })).sprites);
  for (const damaged of [bytes.subarray(0, 9999), bytes.subarray(5), Buffer.alloc(0), Buffer.from("{}\n")]) {
    await writeFile(file, damaged);
    await expect(loadAtlas(file)).rejects.toThrow(`${file}: damaged sprite file. Delete it; it will be rebuilt.`);
  }
  await expect(loadAtlas(join(folder, "none.bin"))).rejects.toThrow("none.bin: no such file or folder.");
  await writeFile(`${file}.br`, (await readFile(FIXTURE)).subarray(0, 1000));
  await expect(loadAtlas(`${file}.br`)).rejects.toThrow("damaged sprite file");
});

test("without the icon sets the command that installs them is named", async () => {
  await expect(openAtlas({ icons: folder, cache: folder })).rejects.toThrow(
    "the icon set is not installed. Run: npm run icons",
  );
});

test("a contact sheet holds every picture with its caption under it", async () => {
  const image = { width: 8, height: 8, data: new Uint8Array(192).fill(50) };
  const png = await contactSheet([{ image, caption: "a <b> & c" }, { image }, { image, caption: "\u0001 x" }], {
    columns: 2,
    zoom: 4,
    lines: 2,
  });
  const sheet = await decodeImage(png, "sheet.png");
  expect([sheet.width, sheet.height]).toEqual([6 + 2 * (32 + 6), 6 + 2 * (32 + 6 + 24)]);
  const at = (x: number, y: number) => sheet.data[(y * sheet.width + x) * 3];
  expect([at(5, 5), at(6, 6), at(37, 37), at(38, 38), at(44, 6), at(6, 68), at(44, 68)]).toEqual([
    255, 50, 50, 255, 50, 50, 255,
  ]);
});

test("captions break at spaces and end after a number of lines", () => {
  expect(wrap("a big red dog on a boat", 9, 2)).toEqual(["a big red", "dog on a"]);
  expect(wrap("", 9, 2)).toEqual([]);
  expect(wrap("incomprehensible", 5, 2)).toEqual(["incomprehensible"]);
});
