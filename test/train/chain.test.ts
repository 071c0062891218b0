/** Chains in memory, on a stage of a few numbers: what is skipped, continued, refused, and what is reported of a run. */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type Chain,
  type ChainOptions,
  chainOf,
  compareScores,
  type LogLine,
  readRecipe,
  readRunRecord,
  runChain,
  runStage,
  STAGES,
  scaledRecipe,
  type TrainingRecord,
  triedChain,
} from "../../src/training/index.ts";
import { onToy, toy } from "./toy-stage.ts";

const stages = [...STAGES, toy, onToy];
const quick = { batch: 8, peakRate: 0.5, warmup: 0, averageDecay: 0, weightDecay: 0, logEvery: 1, saveEvery: 100 };
const recipes = {
  toy: {
    stage: "toy",
    ...quick,
    width: 2,
    phases: [
      { steps: 12, seed: 3 },
      { steps: 6, seed: 4, peakRate: 0.05 },
    ],
  },
  "on-toy": { stage: "on-toy", ...quick, width: 3, steps: 5 },
};
const about = { about: "A test." };

let root: string;
let runs = 0;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "seedling-chain-"));
});
afterAll(() => rm(root, { recursive: true }));

const folder = (): string => join(root, String(runs++));
const chain = (changes: object = {}, own: object = recipes): Chain =>
  chainOf({ chain: { ...about, ...changes }, recipes: own as typeof recipes }, "toy chain", stages);

interface Told {
  readonly lines: LogLine[];
  readonly skipped: string[];
  readonly phases: string[];
  readonly notes: string[];
}

function told(): Told & Pick<ChainOptions, "onLine" | "onSkip" | "onPhase" | "onNote"> {
  const all: Told = { lines: [], skipped: [], phases: [], notes: [] };
  return {
    ...all,
    onLine: (line) => all.lines.push(line),
    onSkip: ({ name }) => all.skipped.push(name),
    onPhase: ({ name }, phase) => all.phases.push(`${name} ${phase}`),
    onNote: (text) => all.notes.push(text),
  };
}

const run = (which: Chain, at: string, options: Partial<ChainOptions> = {}) =>
  runChain(which, { root: at, sources: {}, threads: 1, ...options });

describe("a stage in one file", () => {
  test("trains from a recipe on disk, phase after phase", async () => {
    const path = join(root, "toy.json");
    await writeFile(path, JSON.stringify(recipes.toy));
    const at = folder();
    const news = told();
    const { weights } = await runStage(await readRecipe(path, stages), { root: at, sources: {}, threads: 1, ...news });
    expect(weights.get("center")![0]).toBeCloseTo(3, 0);
    expect(news.phases).toEqual(["toy 1", "toy 2"]);
    // The second phase began where the first one ended.
    const { finished } = (await readRunRecord(join(at, "toy")))!;
    const began = news.lines.find(({ beganAt }) => beganAt !== undefined)!;
    expect(began.beganAt).toBeCloseTo(finished[0]!.scores.center!, 6);
    expect((await readdir(join(at, "toy"))).sort()).toEqual([
      "phase-1",
      "phase-2",
      "recipe.json",
      "run.json",
      "weights.safetensors",
    ]);
  });

  test.each([1, 2])("of %d phases, finished, goes on with one that is added to its recipe", async (before) => {
    const [first, second] = recipes.toy.phases;
    const train = async (at: string, phases: object[]) => {
      const path = join(root, "longer.json");
      await writeFile(path, JSON.stringify({ ...recipes.toy, phases }));
      const news = told();
      const options = { root: at, sources: {}, threads: 1, resume: true, ...news };
      return { news, ...(await runStage(await readRecipe(path, stages), options)) };
    };
    const [at, inOneGo] = [folder(), folder()];
    const some = [first, second].slice(0, before) as object[];
    const all = [...some, { steps: 5, seed: 5, peakRate: 0.01 }];
    await train(at, some);
    const { news, weights } = await train(at, all);
    expect(news.phases).toEqual([`toy ${before + 1}`]);
    expect(weights.get("center")).toEqual((await train(inOneGo, all)).weights.get("center"));
    const files = async (run: string): Promise<string[]> =>
      (await readdir(join(run, "toy"), { recursive: true })).sort();
    expect(await files(at)).toEqual(await files(inOneGo));
    expect((await readRunRecord(join(at, "toy")))!.finished).toHaveLength(before + 1);
    await expect(train(at, some)).rejects.toThrow(`expected a run of ${before} phases, got one of ${before + 1}.`);
    const changed = [{ ...first, steps: 13 }, ...all.slice(1), { steps: 2 }];
    await expect(train(at, changed)).rejects.toThrow("recipe");
  });

  test("its keys are checked, and what scales is scaled", async () => {
    const path = join(root, "wrong.json");
    await writeFile(path, JSON.stringify({ ...recipes.toy, phases: [{ steps: 3 }, { steps: 2, heigth: 1 }] }));
    await expect(readRecipe(path, stages)).rejects.toThrow(
      'wrong.json: phase 2: top level: Unrecognized key: "heigth". See docs/recipes.md for the keys.',
    );
    await writeFile(path, JSON.stringify({ ...recipes.toy, phases: [{ steps: 3, name: "x" }] }));
    await expect(readRecipe(path, stages)).rejects.toThrow("wrong.json: name: expected outside of the phases");
    await writeFile(path, JSON.stringify({ ...recipes.toy, stage: "tou" }));
    await expect(readRecipe(path, stages)).rejects.toThrow(/stage: expected one of clip, .*on-toy, got tou\.$/);
    await writeFile(path, JSON.stringify({ ...recipes.toy, points: 1000, phases: [{ steps: 400 }, { steps: 9 }] }));
    const { phases } = scaledRecipe(await readRecipe(path, stages), 0.05);
    expect(phases.map(({ steps, warmup, batch }) => [steps, warmup, batch])).toEqual([
      [20, 0, 8],
      [8, 0, 8],
    ]);
    expect(phases[0]).toMatchObject({ points: 50, width: 2 });
  });

  test("a recipe that extends another one states what differs, in all phases", async () => {
    const path = join(root, "variant.json");
    await writeFile(join(root, "toy.json"), JSON.stringify({ ...recipes.toy, expected: { center: 3 } }));
    const variant = { extends: "toy.json", name: "variant", seed: 9, expected: { minutes: 1 } };
    await writeFile(path, JSON.stringify(variant));
    const { name, phases } = await readRecipe(path, stages);
    expect(name).toBe("variant");
    expect(phases.map(({ seed, steps }) => [seed, steps])).toEqual([
      [9, 12],
      [9, 6],
    ]);
    expect(phases[0]!.expected).toEqual({ minutes: 1 });
    await writeFile(path, JSON.stringify({ ...variant, phases: [{ steps: 2 }] }));
    expect((await readRecipe(path, stages)).phases).toHaveLength(1);
    await writeFile(join(root, "toy.json"), JSON.stringify({ extends: "variant.json" }));
    await expect(readRecipe(path, stages)).rejects.toThrow("extends: expected a recipe that ends somewhere");
  });
});

describe("a chain", () => {
  test("runs from nothing, tells what it was trained from, and is not trained twice", async () => {
    const at = folder();
    const first = await run(chain({ expected: { "toy/center": { atLeast: 2.5, atMost: 3.5 } } }), at);
    expect(first).toMatchObject({ finished: true, comparisons: [{ reached: true }] });
    const record = JSON.parse(await readFile(join(at, "training.json"), "utf8")) as TrainingRecord;
    expect(record.stages.map(({ name, phases }) => [name, phases.length])).toEqual([
      ["toy", 2],
      ["on-toy", 1],
    ]);
    expect(Object.keys(record.stages[1]!.phases[0]!.identity)).toEqual(["recipe", "weights of toy", "data"]);
    expect(record.commit).toMatch(/^([0-9a-f]{40}\+?|v\d.*)$/);
    const news = told();
    expect(await run(chain(), at, news)).toMatchObject({ finished: true });
    expect(news).toMatchObject({ lines: [], phases: [], skipped: ["toy", "on-toy"] });
  });

  test("ends after a stage, and begins with one on earlier weights as they are", async () => {
    const at = folder();
    expect(await run(chain(), at, { until: "toy" })).toEqual({ finished: true, comparisons: [] });
    expect(await readdir(at)).toEqual(["toy"]);
    await rm(join(at, "toy", "run.json")); // as if its weights came from elsewhere
    await rm(join(at, "toy", "phase-1"), { recursive: true });
    await rm(join(at, "toy", "phase-2"), { recursive: true });
    await expect(run(chain(), at)).rejects.toThrow(
      "toy: expected a stage that was trained here, got weights from elsewhere. Begin with a later stage",
    );
    const news = told();
    expect(await run(chain(), at, { from: "on-toy", ...news })).toMatchObject({ finished: true });
    expect(news.phases).toEqual(["on-toy 1"]);
    await expect(run(chain(), folder(), { from: "on-toy" })).rejects.toThrow(
      "weights.safetensors: expected weights to",
    );
    await expect(run(chain(), at, { until: "clip" })).rejects.toMatchObject({
      exitCode: 2,
      message: "toy chain: expected one of toy, on-toy, got clip.",
    });
  });

  test("continues where it was stopped, with the bits of a run that was not", async () => {
    const [at, undisturbed] = [folder(), folder()];
    const stop = new AbortController();
    const news = told();
    const onLine = (line: LogLine): void => {
      if (news.phases.at(-1) === "toy 2" && line.step === 3) stop.abort();
    };
    const stopped = await run(chain(), at, { ...news, onLine, signal: stop.signal });
    expect(stopped).toEqual({ finished: false, comparisons: [] });
    expect(news.notes).toEqual(["saved toy at step 3 of 6"]);
    const again = told();
    await run(chain(), at, again);
    expect(again.phases).toEqual(["toy 2", "on-toy 1"]);
    await run(chain(), undisturbed);
    const weights = (run: string): Promise<Buffer> => readFile(join(run, "toy", "weights.safetensors"));
    expect((await weights(at)).equals(await weights(undisturbed))).toBe(true);
  });

  test("refuses a stage whose upstream, recipe or data has changed, finished or stopped", async () => {
    const at = folder();
    await run(chain(), at);
    const retrained = { ...recipes, toy: { ...recipes.toy, seed: 1, phases: [{ steps: 4 }] } };
    await expect(run(chain({}, retrained), at)).rejects.toThrow("toy: expected a run of 1 phases, got one of 2.");
    await rm(join(at, "toy"), { recursive: true });
    await expect(run(chain({}, retrained), at)).rejects.toThrow(
      /on-toy: expected a run with the same weights of toy, got one with another\. Remove the folder to train it again/,
    );
    await rm(join(at, "on-toy"), { recursive: true });
    // The same for one that was stopped: its checkpoint knows what it was trained from.
    const stop = new AbortController();
    const onLine = ({ step }: LogLine): void => {
      if (step === 2) stop.abort();
    };
    await run(chain({}, retrained), at, { onLine, signal: stop.signal });
    await rm(join(at, "toy"), { recursive: true });
    await expect(run(chain(), at)).rejects.toThrow("on-toy: expected a run with the same weights of toy,");
    await run(chain(), at, { until: "toy" });
    const moved = { ...recipes, "on-toy": { ...recipes["on-toy"], at: 4 } };
    await expect(run(chain({}, moved), at)).rejects.toThrow("on-toy: expected a run with the same recipe,");
    await expect(run(chain(), at, { sources: { identity: "other pictures" } })).rejects.toThrow(
      "toy: expected a run with the same data source,",
    );
  });

  test("says which bound is missed, and by how much one may be", async () => {
    const scores = { toy: { center: 2.9 }, all: { deep: { x: 1 } } };
    const reached = (expected: Record<string, { atLeast?: number; atMost?: number }>, tolerance = 0): boolean[] =>
      compareScores(scores, expected, tolerance).map((one) => one.reached);
    expect(reached({ "toy/center": { atLeast: 3 }, "all/deep/x": { atMost: 1 }, "toy/none": { atLeast: 0 } })).toEqual([
      false,
      true,
      false,
    ]);
    expect(reached({ "toy/center": { atLeast: 3 } }, 0.05)).toEqual([true]);
    const tried = triedChain(chain({ expected: { "toy/center": { atLeast: 9 } } }), { scale: 0.5 });
    expect((await run(tried, folder())).comparisons).toEqual([]); // a try-out is not measured
  });

  test("is refused if a stage comes before one that it builds on", () => {
    expect(() => chain({ stages: ["on-toy", "toy"] })).toThrow(
      "toy chain: stages: expected toy before on-toy, which builds on it.",
    );
    expect(() => chain({ stages: ["toy", "toy"] })).toThrow("toy chain: stages: expected each once, got toy twice.");
    expect(() => chain({ stage: [] })).toThrow("toy chain");
  });
});
