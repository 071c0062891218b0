/** Imports point one way (docs/architecture.md). Whatever is not listed here is denied. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const SRC = fileURLToPath(new URL("../src", import.meta.url));

/**
 * What each room may import besides itself: a room is a folder, or a file in the root of src. The longest matching name
 * counts, so that `evaluation/metrics` has a row of its own.
 */
const MAY: Readonly<Record<string, readonly string[]>> = {
  base: [],
  io: ["base"],
  graph: ["base"],
  autodiff: ["base", "graph"],
  onnx: ["base", "graph"],
  nn: ["base", "graph"],
  models: ["base", "graph", "nn"],
  runtime: ["base", "graph", "autodiff", "onnx", "nn"],
  codes: ["base", "io"],
  image: ["base", "io"],
  text: ["base", "io", "codes"],
  diffusion: ["base"],
  weights: ["base", "io", "graph", "models", "onnx", "runtime"],
  data: ["base", "io", "codes", "image"],
  "image-decoder": ["base", "io", "graph", "image", "text", "models", "runtime", "weights", "diffusion"],
  "image-tokenizer": [
    ...["base", "io", "graph", "nn", "image", "codes", "text", "models", "runtime", "weights", "diffusion"],
    "image-decoder",
  ],
  language: [
    ...["base", "io", "graph", "image", "codes", "text", "models", "onnx", "runtime", "weights", "diffusion"],
    ...["image-decoder", "image-tokenizer"],
  ],
  "evaluation/metrics": ["base", "image", "data", "language"],
  training: [
    ...["base", "io", "graph", "nn", "image", "codes", "text", "models", "runtime", "weights", "diffusion", "data"],
    ...["image-decoder", "image-tokenizer", "language", "evaluation/metrics"],
  ],
  evaluation: [
    ...["base", "io", "graph", "autodiff", "nn", "onnx", "image", "codes", "text", "models", "runtime", "weights"],
    ...["data", "image-tokenizer", "language", "training", "evaluation/metrics"],
  ],
  report: ["base", "io"],
  server: ["base", "io", "image", "codes", "language", "image-tokenizer", "weights"],
  cli: [
    ...["base", "io", "image", "codes", "text", "runtime", "weights", "data", "image-decoder", "image-tokenizer"],
    ...["language", "training", "evaluation", "report", "server"],
  ],
  "index.ts": [
    ...["base", "codes", "image", "models", "runtime", "weights", "image-decoder", "image-tokenizer", "language"],
  ],
};

/** Known wrong ways, each to be mended; a row that is no longer needed fails the test. */
const EXCEPTIONS: readonly string[] = ["image-decoder/painter.ts -> image-tokenizer"];

const files = readdirSync(SRC, { recursive: true, encoding: "utf8" })
  .filter((f) => f.endsWith(".ts") && !f.endsWith(".test.ts"))
  .map((f) => f.split(sep).join("/"));
const imports = files.flatMap((file) => {
  const text = readFileSync(join(SRC, file), "utf8");
  const found = text.matchAll(/(?:^(?:import|export)[^;]*?from|\bimport\()\s*"([^"]+)"/gms);
  return [...found].map((m) => ({ file, from: m[1]! }));
});

/** The row of MAY that a file belongs to. */
function roomOf(file: string): string | undefined {
  return Object.keys(MAY)
    .filter((room) => file === room || file.startsWith(`${room}/`))
    .sort((a, b) => b.length - a.length)[0];
}

test("there is something to walk", () => {
  expect(imports.length).toBeGreaterThan(200);
});

test("each folder and each file in the root of src stands in the table", () => {
  expect(files.filter((file) => !roomOf(file))).toEqual([]);
});

test("each room imports only what lies below it", () => {
  const wrong = imports.flatMap(({ file, from }) => {
    if (!from.startsWith(".")) return [];
    const room = roomOf(file)!;
    const target =
      roomOf(
        relative(SRC, join(SRC, dirname(file), from))
          .split(sep)
          .join("/"),
      ) ?? from;
    return target === room || MAY[room]?.includes(target) ? [] : [`${file} -> ${target}`];
  });
  expect([...new Set(wrong)].sort()).toEqual([...EXCEPTIONS].sort());
});

test("only runtime imports onnxruntime, only image imports sharp", () => {
  const outside = (name: RegExp, folder: string): string[] =>
    imports.filter(({ file, from }) => name.test(from) && !file.startsWith(`${folder}/`)).map(({ file }) => file);
  expect(outside(/^onnxruntime/, "runtime")).toEqual([]);
  expect(outside(/^sharp$/, "image")).toEqual([]);
});
