import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { writeTinyModel } from "../../test/tiny-model.ts";
import { SeedlingError } from "../base/errors.ts";
import { openSeedFolder } from "./seed-folder.ts";

const JSON_FILES = [
  ...["config.json", "tokenizer.json", "model_index.json"],
  ...["unet/config.json", "vae/config.json", "scheduler/scheduler_config.json"],
] as const;

let folder: string;
const originals = new Map<string, string>();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "seedling-folder-"));
  await writeTinyModel(folder);
  for (const name of JSON_FILES) originals.set(name, await readFile(join(folder, name), "utf8"));
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
    await writeFile(join(folder, name), originals.get(name)!);
  }
}

/** Every place in a JSON value, as keys from the top. */
function places(value: unknown, path: readonly string[] = []): string[][] {
  const here = path.length > 0 ? [[...path]] : [];
  if (typeof value !== "object" || value === null) return here;
  return [...here, ...Object.entries(value).flatMap(([key, inner]) => places(inner, [...path, key]))];
}

function replaced(json: string, place: readonly string[], value: unknown): string {
  const root = JSON.parse(json) as Record<string, unknown>;
  const parent = place.slice(0, -1).reduce((at, key) => at[key] as Record<string, unknown>, root);
  parent[place.at(-1)!] = value;
  return JSON.stringify(root);
}

test("any value anywhere in a config is accepted or refused in one line", async () => {
  const values = [null, -1, 0, 1, 2.5, 3, 7, 1e6, 1e300, "x", [], {}, true, undefined];
  const cases = fc.constantFrom(...JSON_FILES).chain((name) =>
    fc.record({
      name: fc.constant(name),
      place: fc.nat(10_000),
      value: fc.constantFrom<unknown>(...values),
    }),
  );
  await fc.assert(
    fc.asyncProperty(cases, async ({ name, place, value }) => {
      const all = places(JSON.parse(originals.get(name)!));
      const result = await openWith(name, replaced(originals.get(name)!, all[place % all.length]!, value));
      if (result === "opened") return;
      if (!(result instanceof SeedlingError)) throw result;
      expect(result.exitCode).toBe(3);
      expect(result.message).not.toContain("\n");
    }),
    { numRuns: 100, seed: 1 },
  );
}, 120_000);

test.each(JSON_FILES)("%s of the wrong kind", async (name) => {
  for (const text of ["", "null", "5", "[]", '"x"', "{}"])
    expect(await openWith(name, text)).toMatchObject({ exitCode: 3, message: expect.not.stringContaining("\n") });
});

test("a depth that would never end is refused before anything is built", async () => {
  const text = replaced(originals.get("config.json")!, ["vision", "depth"], 1_000_000);
  expect(await openWith("config.json", text)).toMatchObject({
    exitCode: 3,
    message: expect.stringContaining("vision.depth in config.json: expected at most 1000, got 1000000"),
  });
});
