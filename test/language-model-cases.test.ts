/** Small language models and adapters as others write them; `expected.json` is from a float64 forward pass of its own. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { quantizeFolder } from "../src/image-tokenizer/quantize.ts";
import { openLanguageModel } from "../src/language/generation/index.ts";
import { readJsonFile } from "../src/weights/index.ts";

const CASES = "test/fixtures/lm-cases";
const base = join(CASES, "lm-base");

interface Expected {
  readonly ids: readonly number[];
  /** After the last id. */
  readonly logits: readonly number[];
}

test.each<[string, string, string?]>([
  ["lm-base", base],
  ["lm-tied-only-head", join(CASES, "lm-tied-only-head")],
  ["peft-lora-lmhead", base, join(CASES, "peft-lora-lmhead")],
  ["peft-layers-to-transform", base, join(CASES, "peft-layers-to-transform")],
  ["gguf-rope-scale-linear", join(CASES, "gguf-rope-scale-linear", "m.gguf")],
])("%s has the expected logits", async (name, path, adapter) => {
  const { ids, logits } = (await readJsonFile(join(CASES, name, "expected.json"))) as Expected;
  const model = await openLanguageModel(path, { adapter, threads: 1 });
  const [found] = await model.start().read([ids]);
  await model.close();
  expect(found).toHaveLength(logits.length);
  const worst = Math.max(...logits.map((value, i) => Math.abs(value - (found?.[i] ?? Number.NaN))));
  expect(worst).toBeLessThan(2e-5 * Math.max(...logits.map(Math.abs)));
});

test("lm-tied-only-head opens when it is quantized, too", async () => {
  const root = await mkdtemp(join(tmpdir(), "lm-case-"));
  const [from, to] = [join(CASES, "lm-tied-only-head"), join(root, "q8")];
  await quantizeFolder(from, to, { bits: 8, block: 16 });
  const model = await openLanguageModel(to, { threads: 1 });
  const { ids, logits } = (await readJsonFile(join(from, "expected.json"))) as Expected;
  const [found] = await model.start().read([ids]);
  await model.close();
  const worst = Math.max(...logits.map((value, i) => Math.abs(value - (found?.[i] ?? Number.NaN))));
  expect(worst).toBeLessThan(0.05 * Math.max(...logits.map(Math.abs)));
  await rm(root, { recursive: true });
});

test("gguf-spm opens with the tokenizer.json next to it", async () => {
  const model = await openLanguageModel(join(CASES, "gguf-spm", "m.gguf"), { threads: 1 });
  expect(model.tokenizer.encode("a cat")).toEqual([4, 56, 59]);
  await model.close();
});
