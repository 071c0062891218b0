/**
 * Trains the arms of twins that are missing and measures them. Each run of an arm is a run folder of its own, which reads
 * finished stages from those of other arms and from the source; features of the source's stages are computed once for all.
 */
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { SetupError, UsageError } from "../../base/errors.ts";
import { copyFile, exists, makeFolder, writeFileAtomic } from "../../io/files.ts";
import { hashOf } from "../../io/hash.ts";
import { Products } from "../chain/products.ts";
import { type ChainResult, runChain } from "../chain/run-chain.ts";
import { readRunRecord } from "../chain/run-record.ts";
import { hashOfFile, type RunOptions } from "../chain/run-stage.ts";
import { weightsFile } from "../loop/weights-file.ts";
import type { StageRecipe } from "../recipe/stage-recipe.ts";
import type { TwinArm, TwinSettings, Twins } from "./read-twins.ts";

/** A run of an arm. */
export interface TwinRun {
  readonly arm: TwinArm;
  readonly seed: number;
  /** Its run folder. */
  readonly root: string;
}

/** What is measured of a finished run. */
export interface Measurement {
  readonly table: string;
  readonly arm: string;
  readonly losses: "published" | "ours";
  readonly seed: number;
  /** The model folder, and the run folder that it is in. */
  readonly model: string;
  readonly root: string;
  readonly settings: TwinSettings;
  /** Of everything that was trained for it, the source run left out. */
  readonly budget: { readonly pictures: number; readonly steps: number; readonly hours: number };
  /** The file to write. */
  readonly output: string;
}

export interface TwinsOptions
  extends Omit<RunOptions, "root" | "resume" | "adapter" | "model" | "earlier" | "shared" | "onPhase"> {
  /** Folder of all runs. */
  readonly root: string;
  /** The run folder with the stages that all share. Default: as twins.json says. */
  readonly source?: string;
  /** Only these arms, and those that they read. Default: all. */
  readonly only?: readonly string[];
  readonly onPhase?: RunOptions["onPhase"];
  /** Called with each run of an arm before anything of it is done. */
  readonly onRun?: (run: TwinRun) => void;
  /** Called when a run had been trained and measured before. */
  readonly onSkip?: (run: TwinRun) => void;
  readonly measure: (measurement: Measurement) => Promise<void>;
  /** Names what the measurements depend on besides models and settings, such as a judge. */
  readonly measuredBy?: string;
}

/** @returns false if it was stopped; calling it again continues */
export async function runTwins(twins: Twins, options: TwinsOptions): Promise<boolean> {
  const source = options.source ?? twins.source.run;
  await expectSource(source, twins);
  const runs = runsOf(twins, options);
  const base = options.sources.base ?? (await languageModel(source));
  if (base === undefined && runs.some(({ arm }) => arm.recipes.some(usesLanguageModel)))
    throw new SetupError(
      `${join(source, BASES[0])}: expected the language model of ${twins.where}, found none. Train it (seedling train recipes/mini --until lm-pretrain), or name another: --base.`,
    );
  for (const run of runs) {
    options.onRun?.(run);
    const { finished, folder } = await trainArm(run, twins, source, {
      ...options,
      sources: { ...options.sources, base },
    });
    if (!finished || folder === undefined) return false;
    await measureArm(run, folder, twins, source, options);
    // Features of its own stages: large, and no longer needed.
    await rm(join(run.root, "features"), { recursive: true, force: true });
  }
  return true;
}

async function expectSource(source: string, { source: { stages }, where }: Twins): Promise<void> {
  const files = [...stages.map((stage) => weightsFile(join(source, stage))), join(source, "tokenizer.json")];
  for (const file of files)
    if (!(await exists(file)))
      throw new SetupError(
        `${file}: expected it for ${where}, whose arms share stages ${stages.join(", ")}, found none. Train them (seedling train recipes/mini --until ${stages.at(-1)}), or name their run folder: --source.`,
      );
}

/** The wanted runs and those that they read, in order. @throws UsageError for an arm that does not exist */
function runsOf({ arms, where }: Twins, { only, root }: TwinsOptions): TwinRun[] {
  const wanted = new Set(only ?? arms.map(({ name }) => name));
  const known = new Map(arms.map((arm) => [arm.name, arm]));
  for (const name of wanted) {
    const arm = known.get(name);
    if (!arm) throw new UsageError(`${where}: expected arms among ${[...known.keys()].join(", ")}, got ${name}.`);
    for (const read of Object.values(arm.reads)) wanted.add(read); // a set is walked to its end
  }
  return arms
    .filter(({ name }) => wanted.has(name))
    .flatMap((arm) => Array.from({ length: arm.seeds }, (_, i) => runOf(arm, i + 1, root)));
}

function runOf(arm: TwinArm, seed: number, root: string): TwinRun {
  return { arm, seed, root: join(root, `${arm.name}-${seed}`) };
}

/** Folders of the stages that a run reads, by stage: of the source, and of arms in the run of the same seed or the first. */
function earlierStages({ arm, seed }: TwinRun, { arms, source: { stages } }: Twins, source: string, root: string) {
  const shared = stages.map((stage) => [stage, join(source, stage)] as const);
  const read = Object.entries(arm.reads).map(([stage, name]) => {
    const other = arms.find((one) => one.name === name)!;
    return [stage, join(runOf(other, Math.min(seed, other.seeds), root).root, stage)] as const;
  });
  return Object.fromEntries([...shared, ...read]);
}

async function trainArm(run: TwinRun, twins: Twins, source: string, options: TwinsOptions): Promise<ChainResult> {
  const { arm, seed, root } = run;
  await makeFolder(root);
  await copyFile(join(source, "tokenizer.json"), join(root, "tokenizer.json"));
  await writeFileAtomic(join(root, "model.json"), `${JSON.stringify(arm.sizes.json, null, 2)}\n`);
  const chain = {
    about: arm.about,
    recipes: arm.recipes.map((recipe) => seeded(recipe, seed)),
    assemble: { head: arm.head, dtype: "F32" as const },
    ...{ expected: {}, tolerance: 0, tryout: twins.tryout, where: `${twins.where}: ${arm.name}` },
  };
  const earlier = earlierStages(run, twins, source, options.root);
  const { onSkip: _, ...rest } = options;
  return runChain(chain, { ...rest, root, earlier, shared: options.root });
}

const usesLanguageModel = ({ definition }: StageRecipe): boolean =>
  definition.uses?.includes("language model") ?? false;

/** The language model of the source run: as it was trained, or as its chain quantized it. */
const BASES = ["lm-pretrain/model", "base"] as const;

async function languageModel(source: string): Promise<string | undefined> {
  for (const name of BASES) {
    const folder = join(source, name);
    if (await exists(join(folder, "config.json"))) return folder;
  }
  return undefined;
}

const SEEDS = 1000;

/** The first run has the seeds of the recipe. */
function seeded(recipe: StageRecipe, seed: number): StageRecipe {
  if (seed === 1) return recipe;
  return { ...recipe, phases: recipe.phases.map((phase) => ({ ...phase, seed: phase.seed + SEEDS * (seed - 1) })) };
}

/** Folder of the results, within that of all runs. */
export const RESULTS = "results";

async function measureArm(
  run: TwinRun,
  model: string,
  twins: Twins,
  source: string,
  options: TwinsOptions,
): Promise<void> {
  const { arm, seed, root } = run;
  const products = new Products(root);
  const parts = await weightsOf(model, run);
  const by = [JSON.stringify(twins.settings), options.measuredBy ?? ""];
  const key = hashOf(...by, ...(await Promise.all(parts.map(hashOfFile))));
  const results = join(options.root, RESULTS);
  await makeFolder(results);
  let fresh = false;
  for (const measured of arm.measures) {
    const name = `${measured.table}-${measured.arm}-${arm.losses}-${seed}.json`;
    const output = join(results, name);
    if ((await products.has(name, key)) && (await exists(output))) continue;
    fresh = true;
    const budget = await budgetOf(run, twins, source, options.root);
    const { losses } = arm;
    await options.measure({ ...measured, losses, seed, model, root, settings: twins.settings, budget, output });
    await products.done(name, key);
  }
  if (!fresh) options.onSkip?.(run);
}

/** Files with the weights that measurements read. */
async function weightsOf(model: string, { arm, root }: TwinRun): Promise<string[]> {
  const inModel = ["model", "unet/diffusion_pytorch_model", "lm-adapter/adapter_model", "lm-adapter/features"];
  const files = [
    ...inModel.map((name) => join(model, `${name}.safetensors`)),
    ...arm.recipes.map(({ name }) => weightsFile(join(root, name))),
  ];
  const here = await Promise.all(files.map(exists));
  return files.filter((_, i) => here[i]);
}

/** What was trained for a run, in its own folder and in those of other arms. */
async function budgetOf(run: TwinRun, twins: Twins, source: string, root: string): Promise<Measurement["budget"]> {
  const shared = twins.source.stages.map((stage) => join(source, stage));
  const read = Object.values(earlierStages(run, twins, source, root)).filter((folder) => !shared.includes(folder));
  const own = run.arm.recipes.map(({ name }) => join(run.root, name));
  let [pictures, steps, seconds] = [0, 0, 0];
  for (const folder of new Set([...read, ...own])) {
    const record = await readRunRecord(folder);
    const recipe = JSON.parse(await readFile(join(folder, "recipe.json"), "utf8")) as Pick<StageRecipe, "phases">;
    for (const [i, phase] of (record?.finished ?? []).entries()) {
      const { batch = 1, accumulate = 1 } = recipe.phases[i] ?? {};
      steps += phase.steps;
      pictures += phase.steps * batch * accumulate;
      seconds += phase.seconds;
    }
  }
  return { pictures, steps, hours: Math.round(seconds / 3.6) / 1000 };
}
