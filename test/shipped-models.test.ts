/** What ships belongs together and stays small. */
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { SeedTokenizer } from "../src/index.ts";
import { LmTokenizer } from "../src/text/index.ts";
import { readLmManifest } from "../src/text/lm-manifest.ts";
import { disassemble } from "../src/training/chain/disassemble.ts";
import { openSafetensors, readPeftFolder } from "../src/weights/index.ts";

async function bytesOf(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true });
  const sizes = await Promise.all(entries.map(async (name) => (await stat(join(folder, name))).size));
  return sizes.reduce((a, b) => a + b, 0);
}

test.each([
  ["models/seedling-mini", 80e6],
  ["models/seedling-smollm2", 20e6],
])("%s has at most %d bytes", async (folder, most) => {
  expect(await bytesOf(folder)).toBeLessThan(most);
});

test.each(["models/seedling-mini/lm-adapter", "models/seedling-smollm2"])(
  "%s speaks of the codes of seedling-mini",
  async (folder) => {
    const pictures = await SeedTokenizer.fromPretrained("models/seedling-mini");
    const [adapter, manifest, words] = await Promise.all([
      readPeftFolder(folder),
      readLmManifest(folder),
      LmTokenizer.open(folder),
    ]);
    await pictures.close();
    expect(manifest.codebook).toBe(pictures.codebookHash);
    expect(manifest.codes).toBe(pictures.codebookSize);
    const rows = adapter.weights.get("model.embed_tokens.added")!;
    expect(rows.shape[0]).toBe(manifest.codes + 2);
    expect(words.image).toMatchObject({ first: adapter.firstAddedToken, codes: manifest.codes });
    for (const { data } of adapter.weights.values()) expect(data.every(Number.isFinite)).toBe(true);
  },
);

test("the page's sample pictures have the codes of seedling-mini (else run scripts/make-gallery.mjs)", async () => {
  const gallery = JSON.parse(await readFile("web/public/gallery/seedling-mini.json", "utf8")) as {
    codebook: string;
    pictures: { codes: number[] }[];
  };
  const tokenizer = await SeedTokenizer.fromPretrained("models/seedling-mini");
  await tokenizer.close();
  expect(gallery.codebook).toBe(tokenizer.codebookHash);
  expect(gallery.pictures.every(({ codes }) => codes.length === 32)).toBe(true);
});

test("seedling-mini taken apart has the temperature that stage codebook reads, which it does not keep", async () => {
  const root = await mkdtemp(join(tmpdir(), "seedling-apart-"));
  try {
    await disassemble("models/seedling-mini", root);
    const file = await openSafetensors(join(root, "causal-qformer", "weights.safetensors"));
    expect([...(await file.readFloat32("temp"))]).toEqual([Math.fround(0.07)]);
    await file.close();
  } finally {
    await rm(root, { recursive: true });
  }
});
