/** The first format of model folders, on the weights that ship in it. */
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { SeedlingError } from "../base/errors.ts";
import { openSeedFolder } from "../image-tokenizer/seed-folder.ts";
import { DiffusionDecoder } from "./diffusion-decoder.ts";
import { SEEDLING_1_FILES, translateConfig } from "./seedling-1.ts";

const MODEL = "models/seedling-mini";
const JSON_FILES = ["config.json", ...SEEDLING_1_FILES.filter((name) => name.endsWith(".json"))];

let folder: string;
const originals = new Map<string, string>();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "seedling-1-"));
  for (const name of ["config.json", "tokenizer.json", "model.safetensors", ...SEEDLING_1_FILES]) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    if (!name.endsWith(".json")) await symlink(resolve(MODEL, name), join(folder, name));
    else {
      originals.set(name, await readFile(join(MODEL, name), "utf8"));
      await writeFile(join(folder, name), originals.get(name) ?? "");
    }
  }
});
afterAll(() => rm(folder, { recursive: true }));

/** What opening the folder says while `text` is in one of its files. */
async function openWith(name: string, text: string): Promise<unknown> {
  await writeFile(join(folder, name), text);
  try {
    await openSeedFolder(folder);
    return "opened";
  } catch (error) {
    return error;
  } finally {
    await writeFile(join(folder, name), originals.get(name) ?? "");
  }
}

test("the decoder says what it reads", async () => {
  const { decoder, config } = await openSeedFolder(MODEL);
  expect(decoder).toMatchObject({
    accepts: ["image", "text"],
    defaults: { steps: 25, guidanceScale: 3, noiseScale: 1, batch: 8 },
    imageSize: 64,
    latentShape: [16, 8, 8],
    textShape: [28, 192],
    imageWidth: 256,
  });
  expect(config).toMatchObject({ format: "seedling-2", image: { width: 256 } });
  expect(config.text).toBeUndefined();
  const alone = await DiffusionDecoder.open(decoder!, { threads: 1 });
  await expect(alone.features(["a cat"])).rejects.toThrow(
    `${MODEL}: expected text_encoder/ of Stable Diffusion, found none. Open the model it belongs to with SeedTokenizer.`,
  );
  await alone.close();
});

test("only the head that was stored is in the translated config", () => {
  const old = JSON.parse(originals.get("config.json") ?? "");
  const text = translateConfig({ ...old, paintsFrom: "text" }) as Record<string, unknown>;
  expect(text["text"]).toEqual({ tokens: 28, width: 192, layers: 4 });
  expect([text["image"], text["paintsFrom"]]).toEqual([undefined, undefined]);
  expect(translateConfig({ format: "other" })).toEqual({ format: "other" });
});

test("an unknown key of any config is refused, and numbers that do not fit", async () => {
  const edit = (name: string, change: object) =>
    openWith(name, JSON.stringify({ ...JSON.parse(originals.get(name) ?? ""), ...change }));
  for (const name of JSON_FILES)
    expect(await edit(name, { color: 1 })).toMatchObject({ exitCode: 3, message: expect.stringContaining("color") });
  expect(await edit("unet/config.json", { inChannels: 7 })).toMatchObject({
    exitCode: 3,
    message: expect.stringContaining("inChannels in unet/config.json: expected 16, got 7"),
  });
});

test("any value of any field is accepted or refused in one line", async () => {
  const values = [null, -1, 0, 1, 2.5, 3, 1e6, 1e300, "x", [], {}, true, undefined];
  const cases = fc.tuple(fc.constantFrom(...JSON_FILES), fc.nat(1000), fc.constantFrom<unknown>(...values));
  await fc.assert(
    fc.asyncProperty(cases, async ([name, field, value]) => {
      const json = JSON.parse(originals.get(name) ?? "") as Record<string, unknown>;
      const keys = Object.keys(json);
      const result = await openWith(name, JSON.stringify({ ...json, [keys[field % keys.length] ?? ""]: value }));
      if (result === "opened") return;
      if (!(result instanceof SeedlingError)) throw result;
      expect(result).toMatchObject({ exitCode: 3, message: expect.stringMatching(/^[^\n]+$/) });
    }),
    { numRuns: 25, seed: 1 },
  );
});
