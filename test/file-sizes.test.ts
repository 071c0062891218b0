/** A file that holds one idea is short: nine in ten have fewer than 300 lines, none more than 450. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const FOLDERS = ["src", "web/src", "test", "scripts", "bench", "assembly", "examples"];

test("files are short", () => {
  const files = FOLDERS.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" }).map((name) => join(folder, name)),
  ).filter((name) => /\.(ts|tsx|mjs|css|py|sh)$/.test(name) && !name.includes("node_modules"));
  expect(files.length).toBeGreaterThan(900);
  const lines = files.map((name) => ({ name, lines: readFileSync(join(ROOT, name), "utf8").split("\n").length - 1 }));
  expect(lines.filter((file) => file.lines > 450)).toEqual([]);
  expect(lines.filter((file) => file.lines >= 300).length).toBeLessThan(files.length / 10);
});
