/** Frozen weights as floats: where they are if they are floats, in a file of their own if not; the same numbers. */
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openBaseModel } from "../../language/generation/base-model.ts";
import { languageModelWeights } from "../../models/language-model.ts";
import { unpackGguf } from "../../weights/index.ts";
import { floatWeights } from "./float-weights.ts";

const GGUF = "test/fixtures/llm/gguf/llama.gguf";
let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "seedling-floats-"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

test("a model of other numbers is written once, and has the same numbers there", async () => {
  const base = await openBaseModel(GGUF);
  const file = join(root, "floats", "model.safetensors");
  const said: string[] = [];
  const weights = await floatWeights(base, file, (line) => said.push(line));
  expect(said).toEqual([`writing the language model as 32-bit floats to ${file}`]);
  for (const [name] of languageModelWeights(base.config)) {
    expect(await weights.read(name), name).toEqual(await base.weights.read(name));
    expect(weights.get(name)).toMatchObject({ dtype: "f32", data: { file: "model.safetensors" } });
  }
  const { mtimeMs } = await stat(file);
  await floatWeights(base, file, (line) => said.push(line));
  expect([said.length, (await stat(file)).mtimeMs]).toEqual([1, mtimeMs]);
});

test("a folder of 32-bit floats is mapped in place", async () => {
  const folder = join(root, "folder");
  await unpackGguf(GGUF, folder);
  const base = await openBaseModel(folder);
  const file = join(root, "unused.safetensors");
  expect((await floatWeights(base, file)).folder).toContain("folder");
  await expect(stat(file)).rejects.toThrow("ENOENT");
});

test("a file that was cut is refused", async () => {
  const file = join(root, "cut.safetensors");
  await writeFile(file, "cut");
  await expect(floatWeights(await openBaseModel(GGUF), file)).rejects.toThrow("cut.safetensors");
});
