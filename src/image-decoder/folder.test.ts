import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { SeedlingError } from "../base/errors.ts";
import { openDiffusersFolder } from "./folder.ts";

const JSON_FILES = [
  "model_index.json",
  "unet/config.json",
  "vae/config.json",
  "text_encoder/config.json",
  "image_encoder/config.json",
  "scheduler/scheduler_config.json",
  "image_noising_scheduler/scheduler_config.json",
] as const;

let folder: string;
const originals = new Map<string, string>();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "seedling-diffusers-"));
  await cp("test/fixtures/diffusers/unclip", folder, { recursive: true });
  for (const name of JSON_FILES) originals.set(name, await readFile(join(folder, name), "utf8"));
});
afterAll(() => rm(folder, { recursive: true }));

/** What opening the folder says while `text` is in one of its files. */
async function openWith(name: string, text: string): Promise<unknown> {
  await writeFile(join(folder, name), text);
  try {
    await openDiffusersFolder(folder);
    return "opened";
  } catch (error) {
    return error;
  } finally {
    await writeFile(join(folder, name), originals.get(name)!);
  }
}

test("any value of any field is accepted or refused in one line", async () => {
  const values = [null, -1, 0, 1, 2.5, 3, 7, 1e6, 1e15, 1e300, "x", [], [1, 2], {}, true, undefined];
  const cases = fc.tuple(fc.constantFrom(...JSON_FILES), fc.nat(1000), fc.constantFrom<unknown>(...values));
  await fc.assert(
    fc.asyncProperty(cases, async ([name, place, value]) => {
      const json = JSON.parse(originals.get(name)!) as Record<string, unknown>;
      const keys = Object.keys(json);
      const result = await openWith(name, JSON.stringify({ ...json, [keys[place % keys.length]!]: value }));
      if (result === "opened") return;
      if (!(result instanceof SeedlingError)) throw result;
      expect(result).toMatchObject({ exitCode: 3, message: expect.stringMatching(/^[^\n]+$/) });
    }),
    { numRuns: 40, seed: 1 },
  );
});

test.each(JSON_FILES)("%s of the wrong kind", async (name) => {
  for (const text of ["", "null", "5", "[]", '"x"', "{}"])
    expect(await openWith(name, text)).toMatchObject({ exitCode: 3, message: expect.not.stringContaining("\n") });
});
