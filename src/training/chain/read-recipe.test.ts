import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readRecipe } from "./read-recipe.ts";

test("an unknown key of a recipe is named in one line", async () => {
  const folder = await mkdtemp(join(tmpdir(), "seedling-recipe-"));
  const file = join(folder, "wrong.json");
  const { peakRate, ...rest } = JSON.parse(await readFile("test/recipes/vae.json", "utf8"));
  await writeFile(file, JSON.stringify({ ...rest, peakRate: String(peakRate), learnRate: 1 }));
  await expect(readRecipe(file)).rejects.toMatchObject({
    exitCode: 3,
    message:
      `${file}: peakRate: Invalid input: expected number, received string; ` +
      `top level: Unrecognized key: "learnRate". See docs/recipes.md for the keys.`,
  });
  await rm(folder, { recursive: true });
});
