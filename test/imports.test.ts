/** Imports point one way (docs/architecture.md). */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const SRC = fileURLToPath(new URL("../src", import.meta.url));

/** What each folder may import besides itself and the files directly in src/. */
const MAY: Record<string, readonly string[]> = {
  graph: [],
  autodiff: ["graph"],
  onnx: ["graph"],
  nn: ["graph"],
  // Readers of foreign formats map names to the models they read for.
  checkpoint: ["graph", "models"],
  codes: [],
  image: [],
  text: ["codes"],
  runtime: ["graph", "autodiff", "onnx", "nn"],
  models: ["graph", "nn"],
  diffusion: ["image", "runtime", "checkpoint"],
  data: ["image", "codes"],
};

const files = readdirSync(SRC, { recursive: true, encoding: "utf8" }).filter(
  (f) => f.endsWith(".ts") && !f.endsWith(".test.ts"),
);
const imports = files.flatMap((file) => {
  const text = readFileSync(join(SRC, file), "utf8");
  return [...text.matchAll(/^(?:import|export)[^;]*?from "([^"]+)";/gms)].map((m) => ({ file, from: m[1]! }));
});

test("there is something to walk", () => {
  expect(imports.length).toBeGreaterThan(200);
});

test("each folder imports only what lies below it", () => {
  const wrong = imports.flatMap(({ file, from }) => {
    const folder = file.split(sep)[0]!;
    const allowed = MAY[folder];
    if (!allowed || !from.startsWith(".")) return [];
    const target = relative(SRC, join(SRC, dirname(file), from)).split(sep);
    if (target.length === 1 || target[0] === folder || allowed.includes(target[0]!)) return [];
    return [`${file} -> ${target.join("/")}`];
  });
  expect(wrong).toEqual([]);
});

test("only runtime imports onnxruntime, only image imports sharp", () => {
  const outside = (name: RegExp, folder: string): string[] =>
    imports.filter(({ file, from }) => name.test(from) && !file.startsWith(folder + sep)).map(({ file }) => file);
  expect(outside(/^onnxruntime/, "runtime")).toEqual([]);
  expect(outside(/^sharp$/, "image")).toEqual([]);
});
