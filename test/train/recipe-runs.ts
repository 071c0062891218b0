/** Runs of the committed recipes at toy size, on scenes of the committed sprites, in a folder of their own. */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { minimalPairs } from "../../src/data/hard-negatives.ts";
import { createSceneSource, loadAtlas } from "../../src/data/index.ts";
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

export const TIMEOUT_MS = 180_000;
/** Of the toy models. */
export const CODES = 160;

export interface Run extends StageResult {
  readonly lines: readonly LogLine[];
  readonly notes: readonly string[];
  /** "40" for each time that features of 40 pictures were computed or found. */
  readonly features: readonly string[];
}

export interface RecipeRuns {
  readonly root: string;
  readonly pictures: NonNullable<Sources["pictures"]>;
  /** Trains a committed recipe by its name, or the file at `path`. */
  run(name: string, options?: Partial<RunOptions> & { readonly path?: string }): Promise<Run>;
  /** Trains a committed recipe with changes. */
  variant(name: string, changes: object, options?: Partial<RunOptions>): Promise<Run>;
  weightsOf(name: string): Promise<Map<string, Float32Array>>;
  /** Names of cached features. */
  caches(): Promise<string[]>;
  close(): Promise<void>;
}

export const recipeFile = (name: string): string => fileURLToPath(new URL(`../recipes/${name}.json`, import.meta.url));

export const loadJson = async (path: string): Promise<Record<string, unknown>> =>
  JSON.parse(await readFile(path, "utf8"));

/** The values that a run logged under a name. */
export function logged(lines: readonly LogLine[], name: string): number[] {
  return lines.flatMap((line) => (line[name] === undefined ? [] : [Number(line[name])]));
}

/** Expects every logged loss to be the weighted sum of its terms. @returns losses */
export function expectSum(lines: readonly LogLine[], weights: Readonly<Record<string, number>>): number[] {
  const losses = logged(lines, "loss");
  const terms = Object.entries(weights).map(([term, weight]) => {
    const values = logged(lines, `${term}Loss`);
    expect(values, term).toHaveLength(losses.length);
    return values.map((value) => weight * value);
  });
  for (const [i, loss] of losses.entries())
    expect(loss).toBeCloseTo(
      terms.reduce((sum, values) => sum + values[i]!, 0),
      4,
    );
  return losses;
}

/** A signal that stops a run after a step, and the listener that it needs. */
export function stopAfter(step: number): Pick<RunOptions, "signal" | "onLine"> {
  const stop = new AbortController();
  return {
    signal: stop.signal,
    onLine: (line) => {
      if (line.step === step && line.loss !== undefined) stop.abort();
    },
  };
}

export async function recipeRuns(): Promise<RecipeRuns> {
  const root = await mkdtemp(join(tmpdir(), "seedling-recipes-"));
  const pictures = await scenesOfSprites();
  const run: RecipeRuns["run"] = async (name, { path = recipeFile(name), onLine, ...rest } = {}) => {
    const lines: LogLine[] = [];
    const notes: string[] = [];
    const features: string[] = [];
    const result = await runStage(await readRecipe(path), {
      root,
      sources: { pictures },
      threads: 1,
      onLine(line) {
        lines.push(line);
        onLine?.(line);
      },
      onNote: (text) => notes.push(text),
      onProgress(what, done, total) {
        if (what === "computing features" && done === total) features.push(`${done}`);
      },
      ...rest,
    });
    return { ...result, lines, notes, features };
  };
  let variants = 0;
  return {
    root,
    pictures,
    run,
    async variant(name, changes, options) {
      const path = join(root, `variant-${variants++}.json`);
      await writeFile(path, JSON.stringify({ extends: recipeFile(name), ...changes }));
      return run("", { path, ...options });
    },
    weightsOf: (name) => loadWeights(join(root, name, "weights.safetensors")),
    caches: async () => (await readdir(join(root, "features"))).sort(),
    close: () => rm(root, { recursive: true }),
  };
}

/** As the built-in scenes: hard negatives where the recipe asks for them, and a few minimal pairs of each kind. */
async function scenesOfSprites(): Promise<NonNullable<Sources["pictures"]>> {
  const atlas = await loadAtlas("test/fixtures/sprites.bin.br");
  return async ({ hardNegatives, changedPictures }, size) => {
    const source = (split: "train" | "validation") => createSceneSource(atlas, { split, size, questions: false });
    const [train, validation] = [source("train"), source("validation")];
    return {
      train: scenePictures(train, undefined, { hardNegatives, changedPictures }),
      validation: scenePictures(validation, undefined, { hardNegatives }),
      minimalPairs: () =>
        [...minimalPairs(validation, { perKind: 2, kinds: ["sides", "count"] })].map(({ kind, scene, wrong }) => ({
          ...{ kind, wrong },
          picture: { image: { width: size, height: size, data: scene.pixels }, caption: scene.caption },
        })),
      words: () => Array.from({ length: 100 }, (_, i) => train.scene(i).caption),
    };
  };
}
