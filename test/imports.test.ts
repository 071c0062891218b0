/** Imports point one way (docs/architecture.md). Whatever is not listed here is denied. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const SRC = fileURLToPath(new URL("../src", import.meta.url));

/**
 * What each floor may import besides itself: a floor is a folder, or a file in the root of src. The longest matching name
 * counts, so that `evaluation/metrics` has a row of its own.
 */
const MAY: Readonly<Record<string, readonly string[]>> = {
  base: [],
  io: ["base"],
  distributed: ["base"],
  graph: ["base"],
  autodiff: ["base", "graph"],
  onnx: ["base", "graph"],
  nn: ["base", "graph"],
  models: ["base", "graph", "nn"],
  runtime: ["base", "io", "graph", "autodiff", "onnx", "nn"],
  codes: ["base", "io"],
  image: ["base", "io"],
  text: ["base", "io", "codes"],
  diffusion: ["base"],
  weights: ["base", "io", "graph", "models", "onnx", "runtime"],
  data: ["base", "io", "codes", "image"],
  "image-decoder": ["base", "io", "graph", "nn", "image", "text", "models", "runtime", "weights", "diffusion"],
  "image-tokenizer": [
    ...["base", "io", "graph", "nn", "image", "codes", "text", "models", "runtime", "weights", "diffusion"],
    "image-decoder",
  ],
  language: [
    ...["base", "io", "graph", "image", "codes", "text", "models", "onnx", "runtime", "weights", "diffusion"],
    ...["image-decoder", "image-tokenizer"],
  ],
  "evaluation/metrics": ["base", "io", "image", "data", "language"],
  training: [
    ...[
      "base",
      "io",
      "distributed",
      "graph",
      "nn",
      "image",
      "codes",
      "text",
      "models",
      "runtime",
      "weights",
      "diffusion",
      "data",
    ],
    ...["image-decoder", "image-tokenizer", "language", "evaluation/metrics"],
  ],
  evaluation: [
    ...["base", "io", "graph", "autodiff", "nn", "onnx", "image", "codes", "text", "models", "runtime", "weights"],
    ...["data", "image-tokenizer", "language", "training", "evaluation/metrics", "report"],
  ],
  report: ["base", "io"],
  search: ["base", "io", "codes", "image", "data"],
  server: ["base", "io", "image", "codes", "language", "image-tokenizer", "weights", "search"],
  cli: [
    ...[
      "base",
      "io",
      "distributed",
      "image",
      "codes",
      "text",
      "runtime",
      "weights",
      "data",
      "image-decoder",
      "image-tokenizer",
    ],
    ...["language", "training", "evaluation", "report", "search", "server"],
  ],
  "core.ts": ["base", "graph", "autodiff", "onnx", "nn", "models"],
  "index.ts": [
    ...["base", "codes", "image", "models", "runtime", "weights", "image-decoder", "image-tokenizer", "language"],
  ],
};

/** Known wrong ways, each to be mended; a row that is no longer needed fails the test. */
const EXCEPTIONS: readonly string[] = [];

/** Floors that run in Node only. Everything else builds for a browser. */
const IN_NODE = new Set([
  "distributed",
  "data",
  "training",
  "evaluation",
  "evaluation/metrics",
  "report",
  "search",
  "server",
  "cli",
]);

/** The platform's own modules are behind these, in files of these floors that end with -node.ts and -web.ts. */
const LEAVES: Readonly<Record<string, string>> = {
  "#storage": "io",
  "#hub": "io",
  "#ort": "runtime",
  "#thread": "runtime",
  "#codec": "image",
};

/** Packages that run anywhere, and the floors that know the others. */
const ANYWHERE = new Set(["zod", "@huggingface/tokenizers", "onnxruntime-common"]);
const KNOWN_TO: Readonly<Record<string, string>> = {
  "@huggingface/hub": "io",
  "onnxruntime-node": "runtime",
  "onnxruntime-web/wasm": "runtime",
  "onnxruntime-web/webgpu": "runtime",
  sharp: "image",
};

interface Import {
  readonly file: string;
  readonly from: string;
  /** Does it vanish with the types? */
  readonly type: boolean;
}

const files = readdirSync(SRC, { recursive: true, encoding: "utf8" })
  .filter((f) => f.endsWith(".ts") && !f.endsWith(".test.ts"))
  .map((f) => f.split(sep).join("/"));
const sources = new Map(files.map((file) => [file, withoutComments(readFileSync(join(SRC, file), "utf8"))]));
const imports = [...sources].flatMap(([file, text]): Import[] => {
  const declared = text.matchAll(/^(?:import|export)\b([^;]*?)\bfrom\s*"([^"]+)"/gm);
  const called = text.matchAll(/(?:^import\s*|\bimport\(\s*)"([^"]+)"/gm);
  return [
    ...[...declared].map(([, names = "", from = ""]) => ({ file, from, type: isType(names) })),
    ...[...called].map(([, from = ""]) => ({ file, from, type: false })),
  ];
});

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm, "");
}

/** Whether `type {…}` or `{ type A, type B }` is all that is imported. */
function isType(names: string): boolean {
  const text = names.trim();
  if (text.startsWith("type ")) return true;
  const listed = /^\{(.*)\}$/s
    .exec(text)?.[1]
    ?.split(",")
    .map((name) => name.trim());
  return listed?.filter(Boolean).every((name) => name.startsWith("type ")) ?? false;
}

/** The row of MAY that a file belongs to. */
function floorOf(file: string): string | undefined {
  return Object.keys(MAY)
    .filter((floor) => file === floor || file.startsWith(`${floor}/`))
    .sort((a, b) => b.length - a.length)[0];
}

function targetOf({ file, from }: Import): string {
  return join(dirname(file), from).split(sep).join("/");
}

function isPlatformFile(file: string): boolean {
  return /-(node|web)\.ts$/.test(file) && Object.values(LEAVES).includes(floorOf(file) ?? "");
}

test("there is something to walk", () => {
  expect(imports.length).toBeGreaterThan(1000);
  expect(imports.filter(({ type }) => type).length).toBeGreaterThan(200);
});

test("each folder and each file in the root of src stands in the table", () => {
  expect(files.filter((file) => !floorOf(file))).toEqual([]);
});

test("each floor imports only what is below it", () => {
  const wrong = imports.flatMap((one) => {
    if (!one.from.startsWith(".")) return [];
    const floor = floorOf(one.file) ?? "";
    const target = floorOf(targetOf(one)) ?? one.from;
    return target === floor || MAY[floor]?.includes(target) ? [] : [`${one.file} -> ${target}`];
  });
  expect([...new Set(wrong)].sort()).toEqual([...EXCEPTIONS].sort());
});

test("no circles of folders, types aside; a folder and those inside it are one", () => {
  const next = new Map<string, Set<string>>();
  for (const one of imports) {
    const [from, to] = [dirname(one.file), dirname(targetOf(one))];
    const inside = from === to || from.startsWith(`${to}/`) || to.startsWith(`${from}/`) || to === "." || from === ".";
    if (one.type || !one.from.startsWith(".") || inside) continue;
    if (EXCEPTIONS.includes(`${one.file} -> ${floorOf(targetOf(one))}`)) continue;
    next.set(from, (next.get(from) ?? new Set()).add(to));
  }
  const reaches = (from: string, goal: string, seen = new Set<string>()): boolean =>
    [...(next.get(from) ?? [])].some(
      (to) => to === goal || (!seen.has(to) && seen.add(to).has(to) && reaches(to, goal, seen)),
    );
  expect([...next.keys()].filter((folder) => reaches(folder, folder))).toEqual([]);
});

test("only floors for Node and platform files know Node", () => {
  const pure = files.filter((file) => !IN_NODE.has(floorOf(file) ?? "") && !isPlatformFile(file));
  const isPure = new Set(pure);
  const modules = imports.filter(({ file, from }) => isPure.has(file) && from.startsWith("node:"));
  expect(modules.map(({ file, from }) => `${file} imports ${from}`)).toEqual([]);
  const globals = /(?<![\w.$"'])(Buffer|process|NodeJS|__dirname|__filename|require|setImmediate)(?=[.(])/g;
  const found = pure.flatMap((file) =>
    [...(sources.get(file) ?? "").matchAll(globals)].map(([name]) => `${file} uses ${name}`),
  );
  expect(found).toEqual([]);
});

test("each package and each platform leaf is known to one floor", () => {
  const wrong = imports.filter(({ file, from }) => {
    if (from.startsWith(".") || from.startsWith("node:") || ANYWHERE.has(from)) return false;
    const floor = floorOf(file) ?? "";
    const owner = LEAVES[from] ?? KNOWN_TO[from];
    if (owner) return floor !== owner || (from in KNOWN_TO && !isPlatformFile(file));
    return !IN_NODE.has(floor); // what runs in Node only may use what it likes
  });
  expect(wrong.map(({ file, from }) => `${file} imports ${from}`)).toEqual([]);
});
