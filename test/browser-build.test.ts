/** What builds for a browser, with esbuild and no plugin: it refuses any `node:` import. */
import { type BuildResult, build } from "esbuild";
import { expect, test } from "vitest";

interface Built {
  readonly bytes: number;
  /** Files of ours and packages that went in. */
  readonly inputs: readonly string[];
}

async function bundle(contents: string): Promise<Built> {
  const result: BuildResult<{ write: false; metafile: true }> = await build({
    stdin: { contents, resolveDir: ".", loader: "ts" },
    bundle: true,
    write: false,
    metafile: true,
    minify: true,
    platform: "browser",
    format: "esm",
    conditions: ["@seedling/source"],
    logLevel: "silent",
  });
  const inputs = Object.values(result.metafile.outputs).flatMap((output) => Object.keys(output.inputs));
  return { bytes: result.outputFiles[0]?.contents.length ?? 0, inputs };
}

test("seedling/core needs no platform at all", async () => {
  const { inputs } = await bundle('export * from "./src/core.ts"');
  const rooms = new Set(inputs.map((file) => file.split("/").slice(0, 2).join("/")));
  const packages = new Set(inputs.flatMap((file) => /node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file) ?? []));
  expect([...rooms].filter((room) => /^src\/(io|runtime|image|weights)$/.test(room))).toEqual([]);
  expect([...packages]).toEqual(["node_modules/zod"]);
});

test("seedling builds for a browser, with the platform files of the web", async () => {
  const { inputs, bytes } = await bundle('export { SeedTokenizer, SeedLanguageModel } from "./src/index.ts"');
  const leaves = inputs.filter((file) => /^src\/.*-(node|web)\.ts$/.test(file)).sort();
  expect(leaves).toEqual([
    "src/image/codec-web.ts",
    "src/io/fetch-web.ts",
    "src/io/hub/hub-web.ts",
    "src/io/kept-web.ts",
    "src/io/listing-web.ts",
    "src/io/storage-web.ts",
    "src/runtime/ort-web.ts",
    "src/runtime/thread-web.ts",
  ]);
  expect(inputs.filter((file) => /^src\/(training|data|evaluation|server|cli)\//.test(file))).toEqual([]);
  expect(inputs.filter((file) => /trainer|arena|kernels/.test(file))).toEqual([]);
  expect(bytes).toBeLessThan(1_200_000); // 190 kB of them are ONNX Runtime's, loaded when a model is first run
});

test("the worker builds for a browser, without the trainer", async () => {
  const { inputs } = await bundle('import "./src/runtime/worker-web.ts"');
  expect(inputs).toContain("src/runtime/ort-web.ts");
  expect(inputs.filter((file) => /trainer|arena|kernels/.test(file))).toEqual([]);
});

test("an import of Node's modules is refused", async () => {
  await expect(bundle('import { readFile } from "node:fs/promises"; console.log(readFile)')).rejects.toThrow("node:fs");
});
