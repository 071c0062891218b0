/** Every stage of the chain at toy size on the committed sprites, one after the other, and the model folder they make. */
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createSceneSource, loadAtlas } from "../../src/data/index.ts";
import { decodeImage } from "../../src/image/index.ts";
import { SeedTokenizer } from "../../src/image-tokenizer/seed-tokenizer.ts";
import { assemble } from "../../src/training/chain/assemble.ts";
import {
  type LogLine,
  type RunOptions,
  readRecipe,
  runStage,
  type Sources,
  type StageResult,
  scenePictures,
} from "../../src/training/index.ts";
import { loadWeights } from "../../src/training/loop/weights-file.ts";
import { openSafetensors } from "../../src/weights/index.ts";

const TIMEOUT_MS = 180_000;
const CODES = 48;

let root: string;
let pictures: NonNullable<Sources["pictures"]>;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "seedling-recipes-"));
  const atlas = await loadAtlas("test/fixtures/sprites.bin.br");
  pictures = async (_, size) => {
    const source = (split: "train" | "validation") => createSceneSource(atlas, { split, size, questions: false });
    const train = source("train");
    return {
      train: scenePictures(train),
      validation: scenePictures(source("validation")),
      words: () => Array.from({ length: 100 }, (_, i) => train.scene(i).caption),
    };
  };
});
afterAll(() => rm(root, { recursive: true }));

const recipeFile = (name: string): string => fileURLToPath(new URL(`../recipes/${name}.json`, import.meta.url));

interface Run extends StageResult {
  readonly lines: readonly LogLine[];
  /** "computing features 40/40" for each time that a cache was opened or filled. */
  readonly features: readonly string[];
}

/** Trains one of the committed recipes, or the file at `path`. */
async function run(name: string, options: Partial<RunOptions> & { readonly path?: string } = {}): Promise<Run> {
  const lines: LogLine[] = [];
  const features: string[] = [];
  const { path = recipeFile(name), ...rest } = options;
  const result = await runStage(await readRecipe(path), {
    root,
    sources: { pictures },
    threads: 1,
    onLine: (line) => lines.push(line),
    onProgress(what, done, total) {
      if (what === "computing features" && done === total) features.push(`${done}`);
    },
    ...rest,
  });
  return { ...result, lines, features };
}

/** The values that a run logged under a name. */
function logged(lines: readonly LogLine[], name: string): number[] {
  return lines.flatMap((line) => (line[name] === undefined ? [] : [Number(line[name])]));
}

const loadJson = async (path: string): Promise<Record<string, unknown>> => JSON.parse(await readFile(path, "utf8"));

const weightsOf = (name: string): Promise<Map<string, Float32Array>> =>
  loadWeights(join(root, name, "weights.safetensors"));

async function codebook(name: string): Promise<Float32Array> {
  const file = await openSafetensors(join(root, name, "weights.safetensors"));
  const table = await file.readFloat32("quantize.embedding.weight");
  await file.close();
  return table;
}

test("a stage cannot run before the ones it builds on", async () => {
  await expect(run("diffusion")).rejects.toThrow(
    /tokenizer\.json: expected the tokenizer of stage clip, found none\. Run that stage first\.$/,
  );
  await expect(run("diffusion")).rejects.toMatchObject({ exitCode: 4 });
});

test(
  "clip learns, stops, and goes on with the bits of a run that did not stop",
  async () => {
    const stop = new AbortController();
    const onLine = ({ step }: LogLine): void => {
      if (step === 3) stop.abort();
    };
    const stopped = await run("clip", { signal: stop.signal, onLine });
    expect(stopped).toMatchObject({ step: 3, finished: false });
    await expect(run("causal-qformer")).rejects.toThrow(
      /clip\/weights\.safetensors: expected the weights of an earlier stage, found none\. Run that stage first\.$/,
    );
    const resumed = await run("clip", { resume: true });
    expect(logged(resumed.lines, "loss")).toHaveLength(1);
    expect(logged(resumed.lines, "validation/recallMean")[0]).toBeGreaterThan(0);
    const whole = await run("clip", { root: join(root, "undisturbed") });
    expect(resumed.weights).toEqual(whole.weights);
  },
  TIMEOUT_MS,
);

test(
  "causal-qformer learns on cached features",
  async () => {
    const { lines, features } = await run("causal-qformer");
    expect(features).toEqual(["40", "10"]);
    const names = ["loss", "contrastLoss", "featureReconstructionLoss", "wordClassificationLoss", "patchLabelsLoss"];
    const [losses, contrast, recovered, named, placed] = names.map((name) => logged(lines, name));
    expect(losses).toHaveLength(4);
    for (const [i, loss] of losses!.entries())
      expect(loss).toBeCloseTo(contrast![i]! + recovered![i]! + 0.5 * named![i]! + 0.25 * placed![i]!, 4);
    for (const term of [recovered!, named!, placed!]) expect(term.at(-1)).toBeLessThan(term[0]!);
    expect(logged(lines, "validation/textToImageR1")).toHaveLength(1);
  },
  TIMEOUT_MS,
);

test(
  "of few pictures as many features are cached as there are pictures",
  async () => {
    const few: Sources["pictures"] = async (...args) => {
      const { train, validation, words } = await pictures(...args);
      return { train: { ...train, count: 12 }, validation: { ...validation, count: 3 }, words };
    };
    const path = join(root, "few.json");
    const model = fileURLToPath(new URL("../recipes/model.json", import.meta.url));
    const recipe = { ...(await loadJson(recipeFile("causal-qformer"))), model, name: "few", steps: 2 };
    await writeFile(path, JSON.stringify({ ...recipe, data: { nouns: 8, cached: 40_000, validation: 500 } }));
    const { features, lines } = await run("", { path, sources: { pictures: few } });
    expect(features).toEqual(["12", "3"]);
    expect(logged(lines, "validation/recallMean")).toHaveLength(1);
  },
  TIMEOUT_MS,
);

test(
  "a recipe continues from the weights of another run of its stage, in a folder of its own",
  async () => {
    const clip = await loadJson(recipeFile("clip"));
    const path = join(root, "clip-second.json");
    const model = fileURLToPath(new URL("../recipes/model.json", import.meta.url));
    const second = { ...clip, name: "clip-second", continues: "clip", model, steps: 1, warmup: 0, peakRate: 1e-9 };
    await writeFile(path, JSON.stringify({ ...second, averageDecay: 0 }));
    const [first, { weights }] = [await weightsOf("clip"), await run("", { path })];
    for (const [name, values] of await weightsOf("clip-second")) {
      const before = first.get(name)!;
      expect(Math.max(...values.map((x, i) => Math.abs(x - before[i]!))), name).toBeLessThan(1e-6);
    }
    expect(weights.size).toBe(first.size);
    await expect(run("", { path })).rejects.toThrow("clip-second: expected a new run, got a finished one. Resume it,");
    expect(await run("", { path, resume: true })).toMatchObject({ finished: true, skipped: true, lines: [] });
    await writeFile(path, JSON.stringify({ ...second, averageDecay: 0, steps: 2 }));
    await expect(run("", { path, resume: true })).rejects.toThrow("clip-second: expected a run with the same recipe,");
    await writeFile(path, JSON.stringify({ ...second, name: "clip-third", continues: "nothing" }));
    await expect(run("", { path })).rejects.toThrow("nothing/weights.safetensors: expected the weights of an");
    await writeFile(path, JSON.stringify({ ...second, name: "../up" }));
    await expect(run("", { path })).rejects.toThrow("name: expected small letters, digits and dashes");
  },
  TIMEOUT_MS,
);

test(
  "vae learns to give pictures back, at latents of unit variance, and goes on with the same bits",
  async () => {
    const stop = new AbortController();
    const onLine = ({ step }: LogLine): void => {
      if (step === 3) stop.abort();
    };
    await run("vae", { signal: stop.signal, onLine });
    const { lines, weights } = await run("vae", { resume: true });
    const whole = await run("vae", { root: join(root, "undisturbed") });
    expect(weights).toEqual(whole.weights);
    const errors = logged(whole.lines, "squaredError");
    expect(errors.at(-1)).toBeLessThan(errors[0]!);
    expect(weights.get("vae.scaling_factor")![0]).not.toBe(1);
    expect(logged(lines, "validation/latentDeviation")[0]).toBeGreaterThan(0);
    const sheet = await decodeImage(await readFile(join(root, "vae", "samples-000004.png")), "sheet");
    expect(sheet.width).toBe(6 + 8 * (64 + 6));
  },
  TIMEOUT_MS,
);

test(
  "diffusion learns on cached latents and writes a sheet of samples",
  async () => {
    const { lines, features } = await run("diffusion");
    expect(features).toEqual(["40"]);
    for (const name of ["validation/cosineFromText", "validation/cosineFromImage"])
      expect(Math.abs(logged(lines, name)[0]!), name).toBeLessThanOrEqual(1.0001);
    const sheet = await decodeImage(await readFile(join(root, "diffusion", "samples-000004.png")), "sheet");
    // Three rows of eight pictures, 32 px doubled, each with a gap of 6 and three lines of 12.
    expect([sheet.width, sheet.height]).toEqual([6 + 8 * (64 + 6), 6 + 3 * (64 + 6 + 36)]);
  },
  TIMEOUT_MS,
);

test(
  "codebook learns as published, from a k-means start, and by moving averages with revival",
  async () => {
    const published = await run("codebook");
    expect(logged(published.lines, "revived")).toEqual([0, 0, 0, 0]);
    for (const usage of logged(published.lines, "usage")) expect(usage).toBeLessThanOrEqual(1);
    const uniform = await codebook("codebook");
    expect(Math.max(...uniform.map(Math.abs))).toBeLessThan(0.1); // about 1/48, and a few steps of 0.01

    const folders = await readdir(join(root, "features"));
    const caches = await Promise.all(folders.map((name) => stat(join(root, "features", name))));
    const kmeans = await run("codebook-kmeans");
    expect(await codebook("codebook-kmeans")).not.toEqual(uniform);
    expect(logged(kmeans.lines, "perplexity")[0]).toBeGreaterThan(logged(published.lines, "perplexity")[0]!);

    const ema = await run("codebook-ema");
    for (const term of ["wordClassificationLoss", "patchLabelsLoss"]) {
      const values = logged(ema.lines, term);
      expect(values.at(-1), term).toBeLessThan(values[0]!);
      expect(logged(published.lines, term), term).toEqual([]);
    }
    const revived = logged(ema.lines, "revived");
    expect(revived.slice(0, 2)).toEqual([0, 0]);
    expect(revived[2]).toBeGreaterThan(0); // after two steps without use
    expect(revived[2]).toBeLessThan(CODES);
    // What the other two had cached is read again; with patch labels it is another cache.
    expect((await readdir(join(root, "features"))).length).toBe(folders.length + 1);
    const again = await Promise.all(folders.map((name) => stat(join(root, "features", name))));
    expect(again.map(({ mtimeMs }) => mtimeMs)).toEqual(caches.map(({ mtimeMs }) => mtimeMs));
  },
  TIMEOUT_MS,
);

test(
  "codebook with moving averages and revival stops, and goes on with the bits of a run that did not stop",
  async () => {
    const path = join(root, "codebook-stopped.json");
    const model = fileURLToPath(new URL("../recipes/model.json", import.meta.url));
    const recipe = { ...(await loadJson(recipeFile("codebook-ema"))), model, start: "kmeans", reviveAfter: 1 };
    const as = async (name: string, options: Partial<RunOptions> = {}) => {
      await writeFile(path, JSON.stringify({ ...recipe, name }));
      return run("", { path, ...options });
    };
    const whole = await as("codebook-whole");
    const stop = new AbortController();
    const onLine = ({ step }: LogLine): void => {
      if (step === 2) stop.abort();
    };
    expect(await as("codebook-stopped", { signal: stop.signal, onLine })).toMatchObject({ step: 2, finished: false });
    const resumed = await as("codebook-stopped", { resume: true });
    expect(resumed.weights).toEqual(whole.weights);
    // Parameters, moments, averages, and what the codebook remembers: the same bytes.
    const state = (name: string) => readFile(join(root, name, "checkpoint-4", "state.safetensors"));
    expect((await state("codebook-stopped")).equals(await state("codebook-whole"))).toBe(true);
    // The window reaches back over the stop, so health is logged as if there had been none; and codes were revived.
    for (const name of ["usage", "perplexity", "leastEntropyBits", "revived"])
      expect(logged(resumed.lines, name), name).toEqual(logged(whole.lines, name).slice(2));
    expect(logged(resumed.lines, "revived").some((count) => count > 0)).toBe(true);
  },
  TIMEOUT_MS,
);

test.each(["image", "text"] as const)(
  "the stages become a model folder that decodes from the %s head",
  async (head) => {
    const out = join(root, `model-${head}`);
    await assemble({ root, out, head, dtype: "F16" });
    const tokenizer = await SeedTokenizer.fromPretrained(out, { threads: 1 });
    const { validation } = await pictures({ nouns: 8, validation: 10 }, 32, 0, {});
    const images = await Promise.all([0, 1].map(async (i) => (await validation.get(i)).image));
    const codes = (await tokenizer.encode(images)).map((t) => t.codes);
    const decoded = await tokenizer.decode(codes);
    await tokenizer.close();
    expect(codes.map((c) => c.length)).toEqual([32, 32]);
    expect(Math.max(...codes.flatMap((c) => [...c]))).toBeLessThan(CODES);
    expect(decoded.map(({ width, height }) => [width, height])).toEqual([
      [32, 32],
      [32, 32],
    ]);
  },
  TIMEOUT_MS,
);

test("an unknown key of a recipe is named in one line", async () => {
  const file = join(root, "wrong.json");
  const { peakRate, ...rest } = JSON.parse(await readFile(recipeFile("clip"), "utf8")) as Record<string, unknown>;
  await writeFile(file, JSON.stringify({ ...rest, peakRate: String(peakRate), learnRate: 1 }));
  await expect(readRecipe(file)).rejects.toMatchObject({
    exitCode: 3,
    message:
      `${file}: peakRate: Invalid input: expected number, received string; ` +
      `top level: Unrecognized key: "learnRate". See docs/recipes.md for the keys.`,
  });
});
