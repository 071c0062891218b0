/** The stages of the language model at toy size, and the folder that they make. */
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type GenerateEvent, generate, openLanguageModel } from "../../src/language/generation/index.ts";
import { encodeChat, LmTokenizer, SEED_CHAT } from "../../src/text/index.ts";
import { DESCRIBING, readLmManifest, writeLmManifest } from "../../src/text/lm-manifest.ts";
import { assembleLanguage } from "../../src/training/chain/assemble-language.ts";
import { REQUESTS } from "../../src/training/data/picture-sequences.ts";
import {
  type LogLine,
  type RunOptions,
  readRecipe,
  runStage,
  type StageResult,
  shortenedRecipe,
} from "../../src/training/index.ts";
import { learnedFrom } from "../../src/training/recipe/training-keys.ts";
import { type Adapter, readPeftFolder, writePeftFolder } from "../../src/weights/index.ts";

const recipe = fileURLToPath(new URL("../recipes/lm-pretrain.json", import.meta.url));
const COLORS = ["red", "blue", "green"];
const THINGS = ["cat", "car", "tree", "star"];
const all = COLORS.flatMap((color) => THINGS.map((thing) => `a ${color} ${thing} is ${color}.`));

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "seedling-lm-recipe-"));
});
afterAll(() => rm(root, { recursive: true }));

/** Trains the recipe at `path`. */
async function run(path: string, options: Partial<RunOptions> & { readonly steps?: number }): Promise<StageResult> {
  const { steps, ...rest } = options;
  const recipe = await readRecipe(path);
  const settings = { root, sources: {}, threads: 1, ...rest };
  return runStage(steps === undefined ? recipe : shortenedRecipe(recipe, steps), settings);
}

test("pretraining makes a Hugging Face folder that speaks as its texts do, better than counting", async () => {
  const lines: LogLine[] = [];
  const plain = all.map((text) => ({ given: "", text }));
  const texts = async () => ({ train: Array.from({ length: 6 }, () => plain).flat(), heldOut: plain });
  const onLine = (line: LogLine): void => {
    lines.push(line);
  };
  const { finished } = await run(recipe, { sources: { texts }, onLine });
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

test("it continues with texts after lists of their words, and learns to say what is listed", async () => {
  const lines: LogLine[] = [];
  const listed = COLORS.flatMap((color) =>
    THINGS.map((thing) => ({ given: `${thing} ${color}:`, text: ` a ${color} ${thing} is ${color}.` })),
  );
  const texts = async () => ({ train: listed, heldOut: listed });
  const onLine = (line: LogLine): void => {
    lines.push(line);
  };
  const path = fileURLToPath(new URL("../recipes/lm-read.json", import.meta.url));
  await run(path, { sources: { texts }, onLine });
  const last = lines.findLast((line) => line["validation/nats"] !== undefined)!;
  expect(last["validation/nats"]).toBeLessThan(0.1);
  expect(last["validation/wrongListNats"]).toBeGreaterThan(1);
  const vocabulary = (run: string): Promise<string> => readFile(join(root, run, "model", "tokenizer.json"), "utf8");
  expect(await vocabulary("lm-read")).toBe(await vocabulary("lm-pretrain"));

  const json = JSON.parse(await readFile(path, "utf8"));
  const copy = join(root, "copy", "model");
  await cp(join(root, "lm-pretrain", "model"), copy, { recursive: true });
  await cp(join(root, "lm-pretrain", "weights.safetensors"), join(root, "copy", "weights.safetensors"));
  const onward = async (changes: object, options: Partial<RunOptions> = {}): Promise<StageResult> => {
    const other = join(root, "other.json");
    await writeFile(other, JSON.stringify({ ...json, name: "other", continues: "copy", ...changes }));
    return run(other, { sources: { texts }, steps: 1, ...options });
  };
  const onwardAnew = async (changes: object, options: Partial<RunOptions> = {}): Promise<StageResult> => {
    await rm(join(root, "other"), { recursive: true });
    return onward(changes, options);
  };
  const words = async (from: string): Promise<string> => readFile(join(root, from, "model", "tokenizer.json"), "utf8");
  await mkdir(join(root, "other", "model"), { recursive: true });
  await writeFile(join(root, "other", "model", "tokenizer.json"), "{}"); // of an earlier start
  expect((await onward({})).finished).toBe(true);
  expect(await words("other")).toBe(await words("copy"));

  const weights = await readFile(join(root, "copy", "weights.safetensors"));
  weights[weights.length - 2]! ^= 1; // another model than the one that the run has begun with
  await writeFile(join(root, "copy", "weights.safetensors"), weights);
  await expect(onward({}, { resume: true })).rejects.toThrow(
    "other: expected a run with the same weights to begin with",
  );

  const listless = async () => ({ train: listed, heldOut: listed.map(({ text }) => ({ given: "", text })) });
  await expect(onwardAnew({}, { sources: { texts: listless } })).rejects.toThrow(
    "other.json: texts.readLists: expected held-out scenes",
  );
  await expect(onwardAnew({ lm: { ...json.lm, width: 16 } })).rejects.toThrow("got hidden_size 16, there 32");
  await expect(onwardAnew({ lm: { ...json.lm, heads: 4 } })).rejects.toThrow("got num_attention_heads 4, there 2");
  await expect(onwardAnew({ lm: { ...json.lm, vocabulary: 5 } })).rejects.toThrow(
    "lm.vocabulary: expected at least the",
  );
  await expect(onwardAnew({ continues: "nothing" })).rejects.toThrow("weights.safetensors: expected the weights");
  await expect(onwardAnew({ continues: "other" })).rejects.toThrow("continues: expected another run, got this one");
}, 120_000);

const CODES = 24;

/** Pictures whose first codes say the color and the thing; the rest is the same for all. */
const rows = COLORS.flatMap((color, c) =>
  THINGS.map((thing, t) => ({
    codes: Array.from({ length: 32 }, (_, i) => (i % 2 === 0 ? c : 3 + t)),
    caption: `a ${color} ${thing}`,
    questions: [{ question: "what color is it?", answer: color }],
  })),
);

test("a frozen model learns to say what codes show, then to draw and to talk, and opens with its adapter", async () => {
  const lines: LogLine[] = [];
  const describedPictures = async () => ({
    train: rows,
    validation: rows,
    identity: "rows",
    codes: CODES,
    codebook: "0".repeat(16),
    vectors: Float32Array.from({ length: CODES * 4 }, (_, i) => Math.sin(i)),
  });
  const texts = async () => ({
    train: [{ given: "", text: "a red star is red." }],
    heldOut: [{ given: "", text: "a blue star is blue." }],
  });
  const onLine = (line: LogLine): void => {
    lines.push(line);
  };
  const path = (name: string): string => fileURLToPath(new URL(`../recipes/${name}.json`, import.meta.url));
  const tuned = (name: string, steps: number) =>
    run(path(name), { sources: { describedPictures, texts }, onLine, steps });
  await tuned("see", 500);
  const base = join(root, "lm-pretrain", "model");
  const { length } = (await LmTokenizer.open(base)).encode("a green star");
  // Whoever does not look at the codes has to choose among twelve captions.
  const blind = Math.log(rows.length) / (length + 1);
  const last = (): LogLine => lines.findLast((line) => line["validation/nats"] !== undefined)!;
  expect(last()["validation/nats"]).toBeLessThan(0.85 * blind);
  expect(last()["validation/wrongPictureNats"]).toBeGreaterThan(1.2 * Number(last()["validation/seenNats"]));
  await expect(
    run(path("see-and-draw"), { sources: { describedPictures }, steps: 1 }), // no plain texts
  ).rejects.toThrow("see-and-draw.json: textShare: expected plain texts to learn from, got none.");
  const often = join(root, "often.json");
  await writeFile(often, JSON.stringify({ ...JSON.parse(await readFile(path("see"), "utf8")), manyShare: 1 }));
  const oftenAbout = (many?: readonly number[]) =>
    run(often, {
      root: join(root, `often-${many}`),
      sources: {
        base,
        describedPictures: async () => ({ ...(await describedPictures()), ...(many && { many: () => many }) }),
        texts,
      },
      steps: 1,
    });
  await expect(oftenAbout()).rejects.toThrow("often.json: manyShare: expected built-in scenes");
  await expect(oftenAbout([])).rejects.toThrow("often.json: manyShare: none of the scenes has three kinds of objects");
  const [first, second] = [await oftenAbout([0]), await oftenAbout([1])];
  expect([...first.weights]).not.toEqual([...second.weights]); // one learned from the first row only, one from the second
  await tuned("see-and-draw", 60);
  for (const name of ["drawn", "text"]) expect(last()[`validation/${name}Nats`]).toBeGreaterThan(0);
  expect((await tuned("instruct", 60)).finished).toBe(true);

  const adapter = join(root, "instruct", "adapter");
  expect(await readLmManifest(adapter)).toMatchObject({ template: "seed", codes: CODES, requests: REQUESTS });
  const out = join(root, "assembled");
  await assembleLanguage({ adapter, out });
  const { base: named } = await readPeftFolder(join(out, "lm-adapter"));
  expect(named).toBe("../lm"); // not where it was trained
  const other = join(root, "other-base");
  await cp(base, other, { recursive: true });
  const bytes = await readFile(join(other, "model.safetensors"));
  await writeFile(join(other, "model.safetensors"), bytes.with(-1, bytes.at(-1)! ^ 1));
  await expect(assembleLanguage({ adapter, base: other, out })).rejects.toThrow("Name the right base.");

  // From the adapter alone, in a run folder that has nothing else.
  const instruct = JSON.parse(await readFile(path("instruct"), "utf8"));
  const alone = join(root, "alone.json");
  const stored = await readPeftFolder(adapter);
  const fromAdapter = async (changes: object, from = base, odd?: Partial<Adapter>): Promise<StageResult> => {
    await rm(join(root, "alone"), { recursive: true, force: true });
    await writeFile(alone, JSON.stringify({ ...instruct, peakRate: 1e-7, averageDecay: 0, ...changes }));
    const folder = odd ? join(root, "odd-adapter") : adapter;
    if (odd) {
      await cp(adapter, folder, { recursive: true });
      const { baseHash: _, ...rest } = stored;
      await writePeftFolder(folder, { ...rest, ...odd });
    }
    const there = { root: join(root, "alone"), adapter: folder, sources: { base: from, describedPictures, texts } };
    return run(alone, { ...there, steps: 1, onLine });
  };
  const before = last();
  const own = { ...DESCRIBING, bestOf: 3, likelihood: 0.1 };
  await writeLmManifest(adapter, { ...(await readLmManifest(adapter)), describing: own });
  const { weights } = await fromAdapter({});
  const written = join(root, "alone", instruct.name ?? instruct.stage, "adapter");
  expect((await readLmManifest(written)).describing).toEqual(own);
  for (const name of ["seen", "drawn"])
    expect(last()[`validation/${name}Nats`]).toBeCloseTo(Number(before[`validation/${name}Nats`]), 2);
  for (const [name, { data }] of stored.weights) {
    const moved = data.map((value, i) => Math.abs(value - weights.get(name)![i]!));
    expect(Math.max(...moved), name).toBeLessThan(1e-5);
  }
  await expect(fromAdapter({}, other)).rejects.toThrow("Name the right base.");
  await expect(fromAdapter({ lora: { ...instruct.lora, rank: 4 } })).rejects.toThrow(
    "expected an adapter as the recipe says (rank 4,",
  );
  await expect(fromAdapter({ template: "chatml" })).rejects.toThrow("(chatml), got seed.");
  const less = new Map([...stored.weights].filter(([name]) => name !== "model.norm.weight"));
  await expect(fromAdapter({}, base, { weights: less })).rejects.toThrow(
    "model.norm.weight, which the recipe teaches, found none",
  );
  const vocabulary = stored.firstAddedToken!;
  const table = { shape: [vocabulary, 32], data: new Float32Array(vocabulary * 32) };
  const more = new Map([...stored.weights, ["model.embed_tokens.weight", table]]);
  await expect(fromAdapter({}, base, { weights: more })).rejects.toThrow('got "model.embed_tokens.weight"');
  await expect(fromAdapter({}, base, { firstAddedToken: 7 })).rejects.toThrow("expected a base of 7 tokens");
  await expect(fromAdapter({ codeWords: "projection" })).rejects.toThrow('expected a recipe with codeWords "rows"');

  const model = await openLanguageModel(join(out, "lm"), { adapter: join(out, "lm-adapter"), threads: 1 });
  try {
    const { tokenizer } = model;
    expect(tokenizer.expectImageTokens().codes).toBe(CODES);
    const { ids } = encodeChat(tokenizer, SEED_CHAT, [{ role: "user", parts: ["a cat"] }]);
    const events: GenerateEvent[] = [];
    const options = { temperature: 0, maxTokens: 34, images: "force" } as const;
    for await (const event of generate(model, tokenizer, ids, options)) events.push(event);
    expect(events[0]).toMatchObject({ kind: "image", codes: expect.objectContaining({ length: 32 }) });
  } finally {
    await model.close();
  }
}, 300_000);

test("codes may be a projection of the codebook, and come out as rows like others", async () => {
  const path = join(root, "projected.json");
  const json = JSON.parse(await readFile(fileURLToPath(new URL("../recipes/see.json", import.meta.url)), "utf8"));
  await writeFile(path, JSON.stringify({ ...json, name: "projected", codeWords: "projection", averageDecay: 0 }));
  const vectors = Float32Array.from({ length: CODES * 4 }, (_, i) => Math.sin(i));
  const pictures = { train: rows, validation: rows, identity: "rows", codes: CODES, codebook: "0".repeat(16), vectors };
  const sources = { describedPictures: async () => pictures };
  const { weights } = await run(path, { sources, steps: 20 });
  expect([...weights.keys()].filter((key) => key.startsWith("model.embed_tokens")).sort()).toEqual([
    "model.embed_tokens.code_projection.bias",
    "model.embed_tokens.code_projection.weight",
    "model.embed_tokens.marks",
  ]);
  const adapter = await readPeftFolder(join(root, "projected", "adapter"));
  const added = adapter.weights.get("model.embed_tokens.added")!;
  expect(added.shape).toEqual([CODES + 2, 32]);
  const projection = weights.get("model.embed_tokens.code_projection.weight")!;
  const bias = weights.get("model.embed_tokens.code_projection.bias")!;
  const expected = [0, 1, 2, 3].reduce((sum, e) => sum + projection[5 * 4 + e]! * vectors[7 * 4 + e]!, bias[5]!);
  expect(added.data[7 * 32 + 5]).toBeCloseTo(expected, 3); // stored as float16
  expect(added.data[CODES * 32]).toBeCloseTo(weights.get("model.embed_tokens.marks")![0]!, 3);

  const onward = { ...json, name: "rows-of-projected", continues: "projected", peakRate: 1e-7, averageDecay: 0 };
  await writeFile(path, JSON.stringify(onward));
  const next = await run(path, { sources, steps: 1 });
  const rowsNow = next.weights.get("model.embed_tokens.added")!;
  expect(rowsNow.length).toBe((CODES + 2) * 32);
  expect(rowsNow[7 * 32 + 5]).toBeCloseTo(expected, 5);
}, 60_000);

test("how pictures are described belongs to no run's identity, and what is learned does", async () => {
  const path = join(root, "identity.json");
  const json = JSON.parse(await readFile(new URL("../recipes/see.json", import.meta.url), "utf8"));
  const identity = async (changes: object): Promise<string> => {
    await writeFile(path, JSON.stringify({ ...json, ...changes }));
    return JSON.stringify(learnedFrom((await readRecipe(path)).phases[0]!));
  };
  const plain = await identity({});
  expect(await identity({ describing: { bestOf: 7 }, about: "something else", saveEvery: 1 })).toBe(plain);
  expect(await identity({ seed: json.seed + 1 })).not.toBe(plain);
});

test("an unknown key and a missing one are named", async () => {
  const path = join(root, "wrong.json");
  await writeFile(path, JSON.stringify({ stage: "lm-pretrain", tokens: 5 }));
  const texts = async () => ({ train: [], heldOut: [] });
  await expect(run(path, { sources: { texts } })).rejects.toThrow(/wrong\.json: .*See docs\/recipes\.md/);
});
