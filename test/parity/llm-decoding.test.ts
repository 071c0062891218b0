/** Whole models from disk: what transformers' greedy and beam search say, from a GGUF file, a folder and with an adapter. */
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { quantizeFolder } from "../../src/image-tokenizer/quantize.ts";
import { allNumbers, openBaseModel } from "../../src/language/generation/base-model.ts";
import {
  beamSearch,
  generate,
  type OpenedModel,
  type OpenModelOptions,
  openLanguageModel,
} from "../../src/language/generation/index.ts";
import { ggufTokenizer, openGguf, openSafetensors, readPeftFolder, writePeftFolder } from "../../src/weights/index.ts";

const root = "test/fixtures/llm";
let folder: string;

/** The fixture folder with the tokenizer of the GGUF file next to it. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "llm-"));
  await cp(join(root, "llama"), folder, { recursive: true });
  const gguf = await openGguf(join(root, "gguf/llama.gguf"));
  const { json, config } = ggufTokenizer(gguf);
  await gguf.close();
  await writeFile(join(folder, "tokenizer.json"), JSON.stringify(json));
  await writeFile(join(folder, "tokenizer_config.json"), JSON.stringify(config));
});
afterAll(() => rm(folder, { recursive: true }));

async function recorded(path: string, name: string): Promise<number[]> {
  const file = await openSafetensors(join(root, path, "io.safetensors"));
  const data = [...(await file.readFloat32(name))];
  await file.close();
  return data;
}

/** Logits of the last token of a text. */
async function lastLogits(path: string, ids: readonly number[], options: OpenModelOptions = {}): Promise<Float32Array> {
  const model = await openLanguageModel(path, { threads: 1, ...options });
  const [logits] = await model.start().read([ids]);
  await model.close();
  return logits!;
}

function largestDifference(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);
}

test("prompts of different lengths that are read together are continued as each is alone", async () => {
  const model = await openLanguageModel(folder, { threads: 1 });
  const prompts = [[5, 6, 7, 8, 9, 10, 11], [12], [13, 14, 15], [16, 17, 18, 19]];
  const together = model.start();
  const first = await together.read(prompts);
  const second = await together.read([[20], [21], [22]], [3, 1, 0]); // the caches move with their padding
  const alone = await Promise.all(
    prompts.map(async (prompt) => {
      const state = model.start();
      return { first: (await state.read([prompt]))[0]!, next: async (id: number) => (await state.read([[id]]))[0]! };
    }),
  );
  for (const [i, logits] of first.entries()) expect(largestDifference(logits, alone[i]!.first)).toBeLessThan(1e-4);
  for (const [i, prompt] of [3, 1, 0].entries())
    expect(largestDifference(second[i]!, await alone[prompt]!.next(20 + i))).toBeLessThan(1e-4);
  await model.close();
});

/** An id that no model here says. */
const never = [999];
const eight = { maxTokens: 8, stop: never } as const;

async function greedy(model: OpenedModel, prompt: readonly number[]): Promise<readonly number[]> {
  let ids: readonly number[] = [];
  for await (const event of generate(model, model.tokenizer, prompt, { ...eight, temperature: 0 }))
    if (event.kind === "end") ids = event.ids;
  return ids;
}

describe.each(["GGUF file", "folder"])("a model from a %s", (kind) => {
  let model: OpenedModel;
  beforeAll(async () => {
    model = await openLanguageModel(kind === "folder" ? folder : join(root, "gguf/llama.gguf"), { threads: 1 });
  });
  afterAll(() => model.close());

  test("says what greedy search says in transformers", async () => {
    const expected = await recorded("llama", "greedy");
    expect(await greedy(model, expected.slice(0, 4))).toEqual(expected.slice(4));
  });

  test("and what three beams say", async () => {
    const expected = await recorded("llama", "beams");
    const options = { ...eight, beams: 3, lengthPenalty: 0 };
    const [best] = await beamSearch(model, model.tokenizer, expected.slice(0, 4), options);
    expect(best!.ids).toEqual(expected.slice(4));
  });
});

describe("a model with an adapter", () => {
  test("has the adapter's next token, and without it the base's", async () => {
    const ids = await recorded("lora", "ids");
    const logits = await recorded("lora", "logits");
    const last = logits.slice(-42);
    const model = await openLanguageModel(folder, { adapter: join(root, "lora"), threads: 1 });
    expect(model.config.addedTokens).toBe(2);
    const [got] = await model.start().read([ids]);
    for (const [i, value] of last.entries()) expect(got![i]).toBeCloseTo(value, 3);
    await model.close();
  });

  test("names an adapter of another base", async () => {
    const folderOfOther = join(folder, "other");
    const adapter = await readPeftFolder(join(root, "lora"));
    const odd = { shape: [4, 8], data: new Float32Array(32) };
    const weights = new Map([...adapter.weights, ["model.layers.0.mlp.up_proj.lora_A.weight", odd]]);
    await writePeftFolder(folderOfOther, { ...adapter, weights });
    await expect(openLanguageModel(folder, { adapter: folderOfOther })).rejects.toThrow(
      `${folder}: the adapter does not fit this base: "model.layers.0.mlp.up_proj.lora_A.weight" is [4,8], the model takes [4,16].`,
    );
  });

  test("names a tokenizer with more tokens than the model has rows", async () => {
    const small = await mkdtemp(join(tmpdir(), "llm-"));
    await cp(folder, small, { recursive: true });
    const json = { model: { type: "BPE", vocab: { a: 70 }, merges: [] }, added_tokens: [], normalizer: null };
    const whole = { ...json, pre_tokenizer: null, post_processor: null, decoder: null };
    await writeFile(join(small, "tokenizer.json"), JSON.stringify(whole));
    await writeFile(join(small, "tokenizer_config.json"), "{}");
    await expect(openLanguageModel(small)).rejects.toThrow(
      `${small}: expected a tokenizer of at most 40 tokens, got 71.`,
    );
    await rm(small, { recursive: true });
  });
});

describe("a model in few bits", () => {
  let small: string;
  beforeAll(async () => {
    small = join(await mkdtemp(join(tmpdir(), "llm-")), "int8");
    await quantizeFolder(folder, small, { bits: 8, block: 32 });
  });
  afterAll(() => rm(join(small, ".."), { recursive: true }));
  const ids = [3, 9, 4, 17, 5];

  test("says nearly what its floats say, the head among what is rounded", async () => {
    const [floats, rounded] = [await lastLogits(folder, ids), await lastLogits(small, ids)];
    const difference = largestDifference(floats, rounded);
    expect(difference).toBeLessThan(0.05 * floats.reduce((most, value) => Math.max(most, Math.abs(value)), 0));
    expect(difference).toBeGreaterThan(0);
  });

  test("rounded when it is loaded, or before: the same", async () => {
    expect(largestDifference(await lastLogits(folder, ids, { bits: 8 }), await lastLogits(small, ids))).toBe(0);
    const rest = { bits: 4, adapter: join(root, "lora") } as const;
    const [four, eight] = [await lastLogits(folder, ids, rest), await lastLogits(folder, ids, { ...rest, bits: 8 })];
    expect(four.length).toBe(42);
    expect(largestDifference(four, eight)).toBeGreaterThan(0);
  });

  test("has the base's numbers to half a step of the rounding, for training", async () => {
    const [floats, rounded] = [
      await allNumbers(await openBaseModel(folder)),
      await allNumbers(await openBaseModel(small)),
    ];
    expect([...rounded.keys()]).toEqual([...floats.keys()]);
    const name = "model.layers.0.mlp.up_proj.weight";
    const largest = floats.get(name)!.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    expect(largestDifference(floats.get(name)!, rounded.get(name)!)).toBeLessThan((1.01 * largest) / 128);
  });

  test("is not rounded twice", async () => {
    await expect(quantizeFolder(small, join(small, "again"), { bits: 4, block: 32 })).rejects.toThrow(
      "expected floats, it is quantized already.",
    );
  });
});
