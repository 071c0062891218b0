import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { findPictures } from "./picture-inputs.ts";
import { Report } from "./report.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "seedling-pictures-"));
});
afterEach(async () => {
  process.exitCode = undefined;
  await rm(folder, { recursive: true, force: true });
});

/** Without the temporary folder, which globs can name relative to this one. */
const short = (text: string): string => text.replaceAll(/(\.\.\/)*[^ ]*seedling-pictures-[^/:]*/g, "");

async function find(...inputs: string[]) {
  const said: string[] = [];
  const screen = { write: (text: string) => said.push(short(text.trimEnd())) };
  const report = new Report({ screen, env: {} });
  const { total, files } = await findPictures(inputs, report, new AbortController().signal);
  const names: string[] = [];
  for await (const { name, read } of files) names.push(`${short(name)} ${(await read()).length}`);
  return { total, names, said };
}

test("the links of a tar are pictures too", async () => {
  const tar = "test/fixtures/faults/tar-links/links.tar";
  const { names, said } = await find(tar);
  expect(names).toEqual(
    [`${tar}/imgs/000.png 152`, `${tar}/imgs/003.png 153`].concat([
      `${tar}/imgs/001.png 152`,
      `${tar}/imgs/002.png 152`,
    ]),
  );
  expect(said).toEqual([`seedling: ${tar}: left out 4 files of other kinds (4 .txt).`]);
});

test("folders that link to each other give each picture once, and say what they left out", async () => {
  await mkdir(join(folder, "photos/sub"), { recursive: true });
  await writeFile(join(folder, "photos/turtle.PNG"), "x");
  await writeFile(join(folder, "photos/sub/b.png"), "xy");
  await writeFile(join(folder, "photos/sub/b.txt"), "a bee");
  await symlink(".", join(folder, "photos/loop"));
  await symlink("..", join(folder, "photos/sub/up"));
  const expected = { total: 2, names: ["/photos/sub/b.png 2", "/photos/turtle.PNG 1"] };
  expect(await find(join(folder, "photos"))).toEqual({
    ...expected,
    said: ["seedling: /photos: left out 1 file of another kind (1 .txt)."],
  });
  expect(await find(join(folder, "photos/**/*.{png,PNG}"))).toEqual({ ...expected, said: [] });
});

test("a folder without pictures, and a tar that is damaged or compressed, are named", async () => {
  await mkdir(join(folder, "empty"));
  await writeFile(join(folder, "a.tar"), "x".repeat(2000));
  await writeFile(join(folder, "b.tar"), Uint8Array.of(0x1f, 0x8b, 8, 0));
  expect(await find(join(folder, "empty"), join(folder, "a.tar"), join(folder, "b.tar"))).toEqual({
    total: undefined,
    names: [],
    said: [
      "seedling: /empty: expected pictures in this folder, found none.",
      expect.stringMatching(
        /^seedling: \/a\.tar: the tar is damaged or cut off at its first file \(.+\)\. Copy it again\.$/,
      ),
      "seedling: /b.tar: expected a plain tar, got a gzip file. Unpack it first.",
    ],
  });
});
