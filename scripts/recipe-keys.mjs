// Writes the tables of keys into docs/recipes.md, between its marks: node scripts/recipe-keys.mjs
import { readFileSync, writeFileSync } from "node:fs";
import { recipeKeyTables } from "../dist/training/recipe/key-table.js";
import { STAGES } from "../dist/training/stages/registry.js";

const path = new URL("../docs/recipes.md", import.meta.url);
const between = /(<!-- keys -->\n\n)[\s\S]*?(\n\n<!-- \/keys -->)/;
const text = readFileSync(path, "utf8");
writeFileSync(
  path,
  text.replace(between, (_, before, after) => `${before}${recipeKeyTables(STAGES)}${after}`),
);
