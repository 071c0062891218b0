import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { STAGES } from "../stages/registry.ts";
import { recipeKeyTables } from "./key-table.ts";

test("docs/recipes.md lists every key of every stage: node scripts/recipe-keys.mjs", () => {
  const docs = readFileSync(new URL("../../../docs/recipes.md", import.meta.url), "utf8");
  expect(docs).toContain(`<!-- keys -->\n\n${recipeKeyTables(STAGES)}\n\n<!-- /keys -->`);
});

test("every key has a description", () => {
  const empty = recipeKeyTables(STAGES)
    .split("\n")
    .filter((line) => /^\| `[^`]+` \| +\|/.test(line));
  expect(empty).toEqual([]);
});
