/**
 * A batch that is computed in shares, by pieces or by ranks, teaches what the whole batch teaches: every stage with all
 * terms of its loss. Bounds: docs/several-machines.md.
 */
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Communicator } from "../../src/distributed/communicator.ts";
import type { LogLine, Sources } from "../../src/training/index.ts";
import { openSafetensors } from "../../src/weights/index.ts";
import { memoryRanks } from "./memory-ranks.ts";
import { logged, type RecipeRuns, type Run, recipeFile, recipeRuns, TIMEOUT_MS } from "./recipe-runs.ts";

/**
 * Largest relative differences: of a loss, of the gradient of the first step in the norm over all parameters, and likewise
 * of the weights after two steps, where Adam makes rounding errors of gradients near 0 as large as any step.
 */
const [LOSS, GRADIENT, WEIGHTS] = [2e-6, 1e-6, 1e-3];

const SHORT = { steps: 2, warmup: 0, peakRate: 1e-3, saveEvery: 1, logEvery: 1 };
const ALL_OF_CLIP = {
  contrast: 1,
  pairs: 0.5,
  patchLabels: 1,
  layout: 0.75,
  wordLocations: 0.25,
  latents: 2,
  wordClassification: 0.5,
};
const CLIP = {
  ...SHORT,
  data: { hardNegatives: true, changedPictures: 0.5 },
  phases: [{ accumulate: 2, weights: ALL_OF_CLIP }],
};
const codebook = { contrast: 0.5, pairs: 0.5, feature: 2, draft: 1, tokens: 1 };

/** In the order of a chain. */
const STAGES: readonly (readonly [name: string, changes: object])[] = [
  ["vae", SHORT],
  ["clip", CLIP],
  ["causal-qformer", SHORT],
  ["codebook", { ...SHORT, qformerRate: 0.5, weights: codebook }],
  ["diffusion", SHORT],
  ["probe", SHORT],
  ["judge", SHORT],
  ["lm-pretrain", SHORT],
  ["paper/gill", { ...SHORT, model: recipeFile("model"), length: 40 }],
  ["paper/pixel-codes", { ...SHORT, model: recipeFile("model") }],
  ["see", { ...SHORT, lora: { dropout: 0.1 } }],
];

/** Captions of different lengths, so that shares have different numbers of labels. */
const captions = Array.from(
  { length: 12 },
  (_, i) => `a ${"very ".repeat(i % 5)}red star is ${["red", "blue"][i % 2]}.`,
);
const rows = captions.map((caption, i) => ({
  codes: Array.from({ length: 32 }, (_, j) => (i + j) % 24),
  caption,
  questions: [],
}));
const texts = captions.map((text) => ({ given: "", text }));
const language: Sources = {
  texts: async () => ({ train: Array.from({ length: 6 }, () => texts).flat(), heldOut: texts }),
  describedPictures: async () => ({
    ...{ train: rows, validation: rows, identity: "rows", codes: 24, codebook: "0".repeat(16) },
    vectors: Float32Array.from({ length: 24 * 4 }, (_, i) => Math.sin(i)),
  }),
};

let runs: RecipeRuns;
let before: string;
beforeAll(async () => {
  runs = await recipeRuns();
  before = await mkdtemp(join(tmpdir(), "seedling-before-"));
});
afterAll(async () => {
  await runs.close();
  await rm(before, { recursive: true });
});

/** The first moments after the first step: the gradient, but for a factor. */
async function gradient(root: string, stage: string): Promise<Map<string, Float32Array>> {
  const file = await openSafetensors(join(root, basename(stage), "checkpoint-1", "state.safetensors"));
  const moments = new Map<string, Float32Array>();
  for (const name of file.tensors.keys()) if (name.startsWith("m/")) moments.set(name, await file.readFloat32(name));
  await file.close();
  return moments;
}

function difference(a: ReadonlyMap<string, Float32Array>, b: ReadonlyMap<string, Float32Array>): number {
  let [error, square] = [0, 0];
  expect([...b.keys()]).toEqual([...a.keys()]);
  for (const [name, values] of a) {
    const others = b.get(name)!;
    for (const [i, x] of values.entries()) {
      error += (x - others[i]!) ** 2;
      square += x ** 2;
    }
  }
  return Math.sqrt(error / square);
}

/** Relative difference of a number in the first line of two logs. */
function relative(lines: readonly LogLine[], others: readonly LogLine[], name: string): number {
  const [[a = Number.NaN], [b = Number.NaN]] = [logged(lines, name), logged(others, name)];
  return Math.abs(a - b) / Math.max(Math.abs(a), 1);
}

test.each(STAGES)(
  "%s: two ranks with two pieces each learn what one process learns from the whole batch",
  async (name, changes) => {
    const sources = { pictures: runs.pictures, ...language };
    await cp(runs.root, before, { recursive: true, filter: (path) => !/\/(ranks-|variant-)/.test(path) });
    const whole = await runs.variant(name, changes, { sources });
    const root = await mkdtemp(join(runs.root, "ranks-"));
    await cp(before, root, { recursive: true });
    const onRank = (ranks: Communicator): Promise<Run> =>
      runs.variant(name, { ...changes, pieces: 2 }, { root, ranks, sources });
    const [first, second] = (await Promise.all(memoryRanks(2).map(onRank))) as [Run, Run];

    expect(difference(await gradient(runs.root, name), await gradient(root, name))).toBeLessThan(GRADIENT);
    expect(difference(whole.weights, first.weights)).toBeLessThan(WEIGHTS);
    const metrics = Object.keys(whole.lines.find(({ loss }) => loss !== undefined) ?? {});
    for (const metric of metrics.filter((key) => /loss$|usage|squaredError/i.test(key)))
      expect(relative(whole.lines, first.lines, metric), metric).toBeLessThan(LOSS);
    // The first rank alone logs and measures; what both have learned is the same bits.
    expect(second.lines).toEqual([]);
    for (const [path, values] of second.weights) expect(values, path).toEqual(first.weights.get(path));
    await rm(root, { recursive: true });
  },
  4 * TIMEOUT_MS,
);
