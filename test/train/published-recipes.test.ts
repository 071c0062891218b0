/** The stages at toy size with the published losses: a causal text encoder, the Q-Former's text branch, image embeddings. */
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { decodeImage } from "../../src/image/index.ts";
import { SeedTokenizer } from "../../src/image-tokenizer/seed-tokenizer.ts";
import { assemble } from "../../src/training/chain/assemble.ts";
import type { Sources } from "../../src/training/index.ts";
import { CODES, logged, type RecipeRuns, recipeRuns, TIMEOUT_MS } from "./recipe-runs.ts";

let runs: RecipeRuns;
beforeAll(async () => {
  runs = await recipeRuns();
});
afterAll(() => runs.close());

const codebookOf = async (name: string): Promise<Float32Array> =>
  (await runs.weightsOf(name)).get("quantize.embedding.weight")!;

test(
  "clip contrasts pictures with their captions",
  async () => {
    const { lines, weights } = await runs.run("published/clip");
    const [losses, contrast, words, patches] = [
      "loss",
      "contrastLoss",
      "wordClassificationLoss",
      "patchLabelsLoss",
    ].map((name) => logged(lines, name));
    for (const [i, loss] of losses!.entries())
      expect(loss).toBeCloseTo(contrast![i]! + 0.5 * words![i]! + patches![i]!, 4);
    expect(patches!.at(-1)).toBeLessThan(patches![0]!);
    expect(logged(lines, "validation/recallMean")[0]).toBeGreaterThan(0);
    expect(weights.has("clip.visual_projection.weight")).toBe(true); // from the mean of all tokens
  },
  TIMEOUT_MS,
);

test(
  "terms that need objects' boxes are left out with a note where pictures have none",
  async () => {
    const photos: Sources["pictures"] = async (...args) => {
      const { train, validation, words } = await runs.pictures(...args);
      return { train: { ...train, names: undefined }, validation, words };
    };
    const options = { sources: { pictures: photos }, root: join(runs.root, "photos") };
    const { lines, notes } = await runs.variant("published/clip", { steps: 1 }, options);
    expect(notes).toEqual(["patchLabels: left out, as these pictures do not say where their objects are"]);
    expect(logged(lines, "patchLabelsLoss")).toEqual([]);
    expect(logged(lines, "wordClassificationLoss")).toHaveLength(1);
    const alone = { name: "alone", steps: 1, weights: { contrast: 0, wordClassification: 0, layout: 1, pairs: 1 } };
    await expect(runs.variant("published/clip", alone, options)).rejects.toMatchObject({
      exitCode: 3,
      message: expect.stringMatching(/: weights: expected a term that these pictures can teach, got none\. [^\n]+$/),
    });
  },
  TIMEOUT_MS,
);

test(
  "causal-qformer contrasts the last embedding with the text branch",
  async () => {
    const { lines, features, weights } = await runs.run("published/causal-qformer");
    expect(features).toEqual(["40", "10"]);
    expect(logged(lines, "loss")).toHaveLength(4);
    expect(Object.keys(lines[0]!).filter((name) => /Loss$|draft|pairs/.test(name))).toEqual([]); // one term
    expect(logged(lines, "validation/textToImageR1")).toHaveLength(1);
    expect(weights.has("text_proj.weight")).toBe(true);
    expect([...weights.keys()].filter((path) => /^(draft|vision_positions)/.test(path))).toEqual([]);
    const hard = { name: "hard", steps: 1, data: { hardNegatives: true }, weights: { pairs: 1 } };
    const without = await runs.variant("published/causal-qformer", hard);
    expect(without.notes).toEqual([
      expect.stringMatching(/^hardNegatives: left out, /),
      expect.stringMatching(/^pairs: left out, /),
    ]);
    expect(logged(without.lines, "pairsRight")).toEqual([]);
  },
  TIMEOUT_MS,
);

test(
  "codebook learns as published, from a k-means start, and by moving averages with revival, on one cache",
  async () => {
    const published = await runs.run("published/codebook");
    expect(logged(published.lines, "revived")).toEqual([0, 0, 0, 0]);
    for (const usage of logged(published.lines, "usage")) expect(usage).toBeLessThanOrEqual(1);
    const terms = ["codebook", "reconstruction", "image", "text"].map((term) => logged(published.lines, `${term}Loss`));
    for (const [i, loss] of logged(published.lines, "loss").entries())
      expect(loss).toBeCloseTo(
        terms.reduce((sum, values) => sum + values[i]!, 0),
        4,
      );
    expect(logged(published.lines, "contrastLoss")).toEqual([]);
    const uniform = await codebookOf("codebook");
    expect(Math.max(...uniform.map(Math.abs))).toBeLessThan(0.1); // about 1/160, and a few steps of 0.01

    const folders = await runs.caches();
    const written = () =>
      Promise.all(folders.map(async (name) => (await stat(join(runs.root, "features", name))).mtimeMs));
    const before = await written();
    const kmeans = await runs.run("published/codebook-kmeans");
    expect(await codebookOf("codebook-kmeans")).not.toEqual(uniform);
    expect(logged(kmeans.lines, "perplexity")[0]).toBeGreaterThan(logged(published.lines, "perplexity")[0]!);

    const ema = await runs.run("published/codebook-ema");
    expect(logged(ema.lines, "contrastLoss")).toHaveLength(4);
    const revived = logged(ema.lines, "revived");
    expect(revived.slice(0, 2)).toEqual([0, 0]);
    expect(revived[2]).toBeGreaterThan(0); // after two steps without use
    expect(revived[2]).toBeLessThan(CODES);
    // What the first one had cached is read again.
    expect(await runs.caches()).toEqual(folders);
    expect(await written()).toEqual(before);
  },
  TIMEOUT_MS,
);

test(
  "vae and diffusion: a UNet that reads image embeddings, laid out over further channels",
  async () => {
    await runs.run("published/vae");
    const { lines, features, weights } = await runs.run("published/diffusion");
    expect(features).toEqual(["40"]);
    expect(logged(lines, "squaredError")).toHaveLength(4);
    for (const name of ["decibelsFromPicture", "decibelsFromText"])
      expect(logged(lines, `validation/${name}`)[0], name).toBeGreaterThan(0);
    expect(logged(lines, "validation/decibelsOfDraft")).toEqual([]);
    expect([...weights.keys()].some((path) => path.startsWith("conditioner."))).toBe(true);
    const sheet = await decodeImage(await readFile(join(runs.root, "diffusion", "samples-000004.png")), "sheet");
    expect(sheet.width).toBe(6 + 12 * (64 + 6));
  },
  TIMEOUT_MS,
);

test.each(["image", "text"] as const)(
  "the stages become a model folder that decodes by the %s head",
  async (head) => {
    const out = join(runs.root, `model-${head}`);
    await assemble({ root: runs.root, out, head, dtype: "F16" });
    const tokenizer = await SeedTokenizer.fromPretrained(out, { threads: 1 });
    const { validation } = await runs.pictures({ nouns: 8, validation: 10 }, 32, 0, {});
    const images = await Promise.all([0, 1].map(async (i) => (await validation.get(i)).image));
    const codes = (await tokenizer.encode(images)).map((t) => t.codes);
    const decoded = await tokenizer.decode(codes);
    expect(codes.map(({ length }) => length)).toEqual([32, 32]);
    expect(Math.max(...codes.flatMap((list) => [...list]))).toBeLessThan(CODES);
    expect(decoded.map(({ width, height }) => [width, height])).toEqual(Array(2).fill([32, 32]));
    const [embedding] = await tokenizer.generationEmbeddings(codes);
    expect(embedding?.shape).toEqual(head === "image" ? [10] : [12, 8]);
    await expect(tokenizer.decodeDraft(codes)).rejects.toThrow("decodeDraft needs an image decoder that reads drafts");
    await expect(tokenizer.decode(codes, { keep: 4, rest: "learned" })).rejects.toMatchObject({
      exitCode: 2,
      message: 'rest: expected "mean" or "repeat", got "learned": this model has no vectors for missing codes.',
    });
    const few = (rest?: "mean" | "repeat") => tokenizer.generationEmbeddings(codes, { keep: 4, rest });
    expect(await few()).toEqual(await few("mean"));
    expect(await few("repeat")).not.toEqual(await few("mean"));
    await tokenizer.close();
  },
  TIMEOUT_MS,
);
