/** `seedling index` and `seedling search` as a user runs them, on a tiny model. */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { writeShard } from "../../src/data/webdataset.ts";
import { decodeImage, encodePng } from "../../src/image/index.ts";
import { writeTinyModel } from "../tiny-model.ts";
import { run } from "./run.ts";

let root: string;
const png = (i: number): Promise<Uint8Array> =>
  encodePng({ width: 16, height: 16, data: Uint8Array.from({ length: 768 }, (_, k) => (k * (i + 2) + i * 97) % 256) });

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "seedling-search-"));
  await writeTinyModel(join(root, "model"));
  await writeTinyModel(join(root, "other"), { seed: 2 });
  await mkdir(join(root, "photos"));
  for (let i = 0; i < 6; i++) await writeFile(join(root, `photos/${i}.png`), await png(i));
  const samples = (async function* () {
    for (let i = 6; i < 8; i++) yield { key: `${i}`, files: { png: await png(i) } };
  })();
  await writeShard(join(root, "photos/more.tar"), samples);
});
afterAll(() => rm(root, { recursive: true }));

const seedling = async (...args: string[]) => {
  const model = args.includes("--model") ? [] : ["--model", "model"];
  const { code, stdout, stderr } = await run([...args, ...model, "--threads", "1"], { cwd: root });
  return { code, stderr, out: stdout.toString(), images: stdout.toString().match(/photos\/[^"\s]+/g) ?? [] };
};

test("an index is made, searched in every way, and brought up to date; other folders and models are refused", async () => {
  expect(await seedling("index", "photos", "-o", "i")).toMatchObject({
    code: 0,
    stderr: "wrote 8 pictures (8 new) to i\n",
  });
  const again = "wrote 8 pictures (0 new, 0 changed, 8 unchanged, 0 removed) to i\n";
  expect(await seedling("index", "photos", "-o", "i")).toMatchObject({ code: 0, stderr: again });

  expect((await seedling("search", "i", "--picture", "photos/3.png", "-n", "1")).images).toEqual(["photos/3.png"]);
  const { images } = await seedling("search", "i", "a red cat", "--json");
  expect(images).toHaveLength(8);
  expect(images).toContain("photos/more.tar/7.png");
  await seedling("tokenize", "photos/4.png", "-o", "codes.txt");
  expect(await seedling("search", "i", "--codes", "codes.txt", "-n", "3")).toMatchObject({ code: 0, stderr: "" });
  expect((await seedling("search", "i", "a cat", "--path", "**/[0-2].png")).images.sort()).toEqual(
    [0, 1, 2].map((i) => `photos/${i}.png`),
  );
  expect(await seedling("search", "i", "a cat", "--until", "2001-01-01")).toMatchObject({
    ...{ code: 0, out: "", stderr: "no picture matches the filters\n" },
  });

  await rm(join(root, "photos/3.png"));
  await writeFile(join(root, "photos/new.png"), await png(3));
  const found = await seedling("search", "i", "--picture", "photos/new.png", "--sheet", "sheet.png");
  expect(found.stderr).toMatch(/^seedling: photos\/3\.png: no longer exists\. Run `seedling index` again, /);
  expect(found).toMatchObject({ code: 0 });
  expect((await decodeImage(await readFile(join(root, "sheet.png")), "sheet.png")).width).toBeGreaterThan(96 * 2);
  expect((await seedling("index", "photos", "-o", "i")).stderr).toBe(
    "wrote 8 pictures (1 new, 0 changed, 7 unchanged, 1 removed) to i\n",
  );
  expect((await seedling("search", "i", "--duplicates", "--threshold", "0.9999")).code).toBe(0);

  const refused = await seedling("search", "i", "a cat", "--model", "other");
  expect(refused).toMatchObject({
    ...{
      code: 3,
      out: "",
      stderr: "seedling: i: expected an index of this model, got one of model. Name that model with --model.\n",
    },
  });
  expect((await seedling("index", "photos", "-o", "i", "--model", "other")).code).toBe(3);
  expect(await seedling("index", "photos", "-o", "photos", "--rebuild")).toMatchObject({
    code: 3,
    stderr: expect.stringMatching(
      /^seedling: photos: expected an index of pictures or a new folder, got one with \d\.png in it\./,
    ),
  });
  expect(await readdir(join(root, "photos"))).toHaveLength(7);
  for (const wrong of [[], ["a cat", "--duplicates"], ["--since", "soon", "a cat"]])
    expect((await seedling("search", "i", ...wrong)).code).toBe(2);
});
