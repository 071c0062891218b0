/** Small language models and adapters as others write them; `expected.json` is from a float64 forward pass of its own. */
import { join } from "node:path";
import { expect, test } from "vitest";
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

test("gguf-spm opens with the tokenizer.json beside it", async () => {
  const model = await openLanguageModel(join(CASES, "gguf-spm", "m.gguf"), { threads: 1 });
  expect(model.tokenizer.encode("a cat")).toEqual([4, 56, 59]);
  await model.close();
});
