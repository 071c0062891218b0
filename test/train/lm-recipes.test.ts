/** The stages of the language model at toy size, and the folder that they make. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { generate, openLanguageModel } from "../../src/generation/index.ts";
import { type LogLine, runLmRecipe } from "../../src/training/index.ts";

const recipe = fileURLToPath(new URL("../recipes/lm-pretrain.json", import.meta.url));
const COLOURS = ["red", "blue", "green"];
const THINGS = ["cat", "car", "tree", "star"];
const all = COLOURS.flatMap((colour) => THINGS.map((thing) => `a ${colour} ${thing} is ${colour}.`));

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "seedling-lm-recipe-"));
});
afterAll(() => rm(root, { recursive: true }));

test("pretraining makes a Hugging Face folder that speaks as its texts do, better than counting", async () => {
  const lines: LogLine[] = [];
  const texts = async () => ({ train: Array.from({ length: 6 }, () => all).flat(), heldOut: all });
  const onLine = (line: LogLine): void => {
    lines.push(line);
  };
  const { finished } = await runLmRecipe({ recipe, root, texts, threads: 1, onLine });
  expect(finished).toBe(true);
  const number = (name: string): number => Number(lines.find((line) => line[name] !== undefined)![name]);
  expect(number("validation/perplexity")).toBeLessThan(number("trigramPerplexity"));

  const model = await openLanguageModel(join(root, "lm-pretrain", "model"), { threads: 1 });
  try {
    const { tokenizer } = model;
    const prompt = [tokenizer.eos!, ...tokenizer.encode("a blue car is")];
    let said = "";
    for await (const event of generate(model, tokenizer, prompt, { temperature: 0 }))
      if (event.kind === "text") said += event.text;
    expect(said).toBe(" blue.");
  } finally {
    await model.close();
  }
}, 120_000);

test("an unknown key and a missing one are named", async () => {
  const path = join(root, "wrong.json");
  await writeFile(path, JSON.stringify({ stage: "lm-pretrain", tokens: 5 }));
  const texts = async () => ({ train: [], heldOut: [] });
  await expect(runLmRecipe({ recipe: path, root, texts })).rejects.toThrow(/wrong\.json: .*See docs\/recipes\.md/);
});
