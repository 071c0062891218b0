import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { exists } from "../io/files.ts";
import { findRecipe } from "../training/index.ts";
import { listRecipes } from "./recipes.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "seedling-recipes-"));
  await mkdir(join(folder, "mini", "variants"), { recursive: true });
  const put = (name: string, json: unknown): Promise<void> => writeFile(join(folder, name), JSON.stringify(json));
  await put("mini/chain.json", { about: "The whole chain.", stages: ["clip", "codebook"] });
  await put("mini/clip.json", { stage: "clip", about: "A pair." });
  await put("mini/model.json", { vision: {} });
  await put("mini/variants/clip-wide.json", { extends: "../clip.json", about: "Wider." });
});
afterAll(() => rm(folder, { recursive: true }));

test("chains, recipes and variants with their stages; a file without a stage is none", async () => {
  const listed = await listRecipes(folder);
  expect(listed.map(({ name, stages, about }) => [name, stages, about])).toEqual([
    ["mini", ["clip", "codebook"], "The whole chain."],
    ["mini/clip", ["clip"], "A pair."],
    ["mini/variants/clip-wide", ["clip"], "Wider."],
  ]);
});

test("the recipes of the package all have a stage and a line about them", async () => {
  const listed = await listRecipes("recipes");
  expect(listed.length).toBeGreaterThan(5);
  for (const { name, stages, about } of listed) {
    expect(stages.length, name).toBeGreaterThan(0);
    expect(about, name).not.toBe("");
    expect(await exists(await findRecipe(name)), name).toBe(true); // as it is listed
  }
});
