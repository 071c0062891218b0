/** Trains one stage: its phases one after the other, each from the averaged weights of the one before. */
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { InputError, SetupError } from "../../base/errors.ts";
import { alone, type Communicator, firstThenOthers } from "../../distributed/communicator.ts";
import { expectSameOnRanks } from "../../distributed/same.ts";
import { exists, makeFolder, writeFileAtomic } from "../../io/files.ts";
import { fileSha256, hashOf } from "../../io/hash.ts";
import { readJsonFile } from "../../io/json-file.ts";
import { type Device, Runtime } from "../../runtime/index.ts";
import type { Sources } from "../data/sources.ts";
import { listCheckpoints } from "../loop/checkpoint.ts";
import { expectSameRun, type Identity } from "../loop/identity.ts";
import { type LoopResult, trainLoop, type Work } from "../loop/loop.ts";
import { loadWeights, saveWeights, weightsFile } from "../loop/weights-file.ts";
import {
  differingSize,
  type ModelSizes,
  parseModelSizes,
  type SizeKey,
  sizesHash,
  withSizes,
} from "../recipe/model-sizes.ts";
import type { StageRecipe } from "../recipe/stage-recipe.ts";
import { learnedFrom, loopSettings } from "../recipe/training-keys.ts";
import type { StageContext, Weights } from "../stages/definition.ts";
import { STAGES } from "../stages/registry.ts";
import { lengthen } from "./lengthen.ts";
import { commit, machine } from "./provenance.ts";
import { isFinished, type RunRecord, readRunRecord, writeRunRecord } from "./run-record.ts";

export interface RunOptions extends Work {
  /** Run folder: each stage has a folder in it and finds earlier stages there. */
  readonly root: string;
  readonly sources: Sources;
  /** Folders of finished stages that are not in the run folder, by stage: several runs may share them. */
  readonly earlier?: Readonly<Record<string, string>>;
  /** Where features that depend on no stage of this run are kept. Default: the run folder. */
  readonly shared?: string;
  /** Default "cpu". */
  readonly device?: Device;
  /** Threads of one operation. Default: as many as there are cores. */
  readonly threads?: number;
  /** Processes that train together, in a run folder that they share; the first of them writes. Default: this one alone. */
  readonly ranks?: Communicator;
  /** Continues a run that was stopped, and leaves a finished one as it is. Default false: such a run is refused. */
  readonly resume?: boolean;
  /** An adapter folder that the first phase begins with, in place of the stage that it continues. */
  readonly adapter?: string;
  /** A model folder whose codes language models learn, for sources that ask for one. */
  readonly model?: string;
  /** Called when a phase begins. `phase` counts from 1. */
  readonly onPhase?: (recipe: StageRecipe, phase: number) => void;
}

export interface StageResult {
  /** Weights that learned. */
  readonly weights: Weights;
  /** Steps of the last phase that was trained. */
  readonly step: number;
  /** False if the run was stopped before its end; it can be resumed. */
  readonly finished: boolean;
  /** The stage had been trained before. */
  readonly skipped: boolean;
}

/**
 * @throws InputError if the folder holds a run and `resume` is not set, or if that run depends on something that has changed
 * since: the recipe, the data, the tokenizer, frozen weights, or if that differs between ranks; SetupError if an earlier
 * stage is missing
 */
export async function runStage(recipe: StageRecipe, options: RunOptions): Promise<StageResult> {
  const stageFolder = join(options.root, recipe.name);
  const { ranks = alone } = options;
  const count = recipe.phases.length;
  await makeFolder(options.root);
  let record = await readRunRecord(stageFolder);
  const recipes = hashOf(JSON.stringify(recipe.phases.map(learnedFrom)));
  await expectSameOnRanks(ranks, recipe.where, { recipe: recipes, [RUN_FOLDER]: hashOf(JSON.stringify(record ?? {})) });
  if (!options.resume) await expectNew(stageFolder, recipe, record);
  if (record) await expectSameFinished(recipe, record, options);
  if (record && isLonger(recipe, record)) {
    if (ranks.rank === 0) await lengthen(stageFolder, record, count);
    record = { ...record, phases: count };
    await ranks.barrier();
  }
  if (isFinished(record))
    return { weights: await loadWeights(weightsFile(stageFolder)), step: 0, finished: true, skipped: true };
  await firstThenOthers(ranks, async () => {
    await makeFolder(stageFolder);
    if (recipe.sizes) await shareSizes(options.root, recipe.sizes, recipe);
    if (ranks.rank > 0) return;
    await writeFileAtomic(join(stageFolder, "recipe.json"), `${JSON.stringify(written(recipe), null, 2)}\n`);
  });
  record ??= { format: "seedling-run-1", stage: recipe.definition.name, phases: count, finished: [] };
  let result: LoopResult | undefined;
  for (let i = record.finished.length; i < count; i++) {
    options.onPhase?.(recipe, i + 1);
    const trained = await runPhase(recipe, i, options);
    result = trained.result;
    if (!result.finished) return { ...result, skipped: false };
    const { step: steps, seconds, scores } = result;
    const now = { finishedAt: new Date().toISOString(), commit: await commit(), machine: machine() };
    record = {
      ...record,
      finished: [...record.finished, { identity: trained.identity, steps, seconds, scores, ...now }],
    };
    if (ranks.rank === 0) await writeRunRecord(stageFolder, record);
    await ranks.barrier();
  }
  if (!result) throw new InputError(`${recipe.where}: expected at least one phase, got none.`);
  return { ...result, skipped: false };
}

/** The folder of a stage: that of an earlier one, or the one in the run folder. */
export function folderOf(stage: string, { root, earlier }: Pick<RunOptions, "root" | "earlier">): string {
  return earlier?.[stage] ?? join(root, stage);
}

async function runPhase(
  recipe: StageRecipe,
  index: number,
  options: RunOptions,
): Promise<{ readonly result: LoopResult; readonly identity: Identity }> {
  const { root, sources, device, threads, signal, onLine, onProgress, onNote, resume = false, ranks = alone } = options;
  const settings = phaseOf(recipe, index);
  const stageFolder = join(root, recipe.name);
  const folder = phaseFolder(recipe, root, index);
  const reads: Record<string, string> = { ...knownIdentity(recipe, index, sources) };
  const resources: { close(): Promise<void> }[] = [];
  const runtime = new Runtime({ device, threads: threads || availableParallelism() });
  try {
    await makeFolder(folder);
    const start = await startOf(recipe, index, options);
    if (start) reads[BEGUN_WITH] = start.hash;
    const context: StageContext<typeof settings> = {
      ...{ recipe: settings, where: recipe.where, runtime, root, stageFolder, folder, sources, start },
      shared: options.shared ?? root,
      ...{ signal, onLine, onProgress, onNote },
      examples: settings.steps * settings.batch * settings.accumulate,
      shares: ranks.size * (settings.pieces ?? 1),
      adapter: index === 0 ? options.adapter : undefined,
      model: options.model,
      sizes() {
        if (recipe.sizes) return recipe.sizes;
        throw new SetupError(`${recipe.where}: expected a model.json next to it, found none. Name one with "model".`);
      },
      async weights(stage) {
        const path = weightsFile(folderOf(stage, options));
        const weights = await loadWeights(path);
        reads[weightsOf(stage)] = await hashOfFile(path);
        return weights;
      },
      dependsOn(what, hash) {
        reads[what] = hash;
      },
      closing(resource) {
        resources.push(resource);
        return resource;
      },
    };
    onProgress?.(`preparing ${title(recipe, index)}`);
    if (ranks.size > 1) onNote?.(`rank 0 prepares ${title(recipe, index)}; the other ${ranks.size - 1} wait`);
    const { stage, baseline, finish } = await firstThenOthers(ranks, () => recipe.definition.build(context));
    if (baseline && ranks.rank === 0) onLine?.(baseline);
    const identity: Identity = reads;
    onProgress?.(`compiling ${title(recipe, index)}`);
    const result = await trainLoop(
      { ...stage, start: stage.start ?? start?.weights },
      { run: folder, runtime, identity, ranks, ...loopSettings(settings), resume, signal, onLine, onProgress, onNote },
    );
    if (result.finished && ranks.rank === 0) {
      await finish?.(result);
      await saveWeights(finishedWeights(recipe, root, index), result);
    }
    return { result, identity };
  } finally {
    await Promise.all(resources.map((resource) => resource.close()));
    await runtime.close();
  }
}

const RUN_FOLDER = "run folder";
const BEGUN_WITH = "weights to begin with";
const weightsOf = (stage: string): string => `weights of ${stage}`;
/** SHA-256 of a file, 16 hexadecimal digits. */
export const hashOfFile = async (path: string): Promise<string> => (await fileSha256(path)).slice(0, 16);

function phaseOf({ where, phases }: StageRecipe, index: number): StageRecipe["phases"][number] {
  const phase = phases[index];
  if (!phase) throw new InputError(`${where}: expected ${index + 1} phases, got ${phases.length}.`);
  return phase;
}

/** "codebook", "clip, phase 2 of 3". */
export function title({ name, phases }: StageRecipe, index: number): string {
  return phases.length > 1 ? `${name}, phase ${index + 1} of ${phases.length}` : name;
}

/** Log, checkpoints and samples of a phase. */
export function phaseFolder({ name, phases }: StageRecipe, root: string, index: number): string {
  return phases.length > 1 ? join(root, name, `phase-${index + 1}`) : join(root, name);
}

/** The weights of the last phase are those of the stage. */
function finishedWeights(recipe: StageRecipe, root: string, index: number): string {
  const last = index === recipe.phases.length - 1;
  return weightsFile(last ? join(root, recipe.name) : phaseFolder(recipe, root, index));
}

function startFile(recipe: StageRecipe, index: number, options: RunOptions): string | undefined {
  if (index > 0) return finishedWeights(recipe, options.root, index - 1);
  return recipe.continues === undefined || options.adapter !== undefined
    ? undefined
    : weightsFile(folderOf(recipe.continues, options));
}

async function startOf(
  recipe: StageRecipe,
  index: number,
  options: RunOptions,
): Promise<{ readonly folder: string; readonly weights: Weights; readonly hash: string } | undefined> {
  const path = startFile(recipe, index, options);
  if (path === undefined) return undefined;
  const folder = folderOf(index > 0 ? recipe.name : (recipe.continues ?? recipe.name), options);
  return { folder, weights: await loadWeights(path), hash: await hashOfFile(path) };
}

/** The part of a phase's identity that is known without opening any data. */
function knownIdentity(recipe: StageRecipe, index: number, { identity }: Sources): Identity {
  return {
    recipe: hashOf(recipe.definition.name, JSON.stringify(learnedFrom(phaseOf(recipe, index)))),
    ...(recipe.sizes && { "model sizes": sizesHash(recipe.sizes, recipe.definition.sizes ?? []) }),
    ...(identity !== undefined && { "data source": identity }),
  };
}

/** Have further phases been added to the recipe of a finished stage? */
function isLonger({ phases }: StageRecipe, record: RunRecord): boolean {
  return isFinished(record) && record.phases < phases.length;
}

/** @throws InputError if a finished phase depends on something that has changed, as far as that is known without opening data */
async function expectSameFinished(recipe: StageRecipe, record: RunRecord, options: RunOptions): Promise<void> {
  const folder = join(options.root, recipe.name);
  if (record.phases !== recipe.phases.length && !isLonger(recipe, record))
    throw new InputError(
      `${folder}: expected a run of ${recipe.phases.length} phases, got one of ${record.phases}. Remove the folder to train it again, or name another run folder.`,
    );
  for (const [i, { identity }] of record.finished.entries()) {
    const now: Record<string, string> = { ...identity, ...knownIdentity(recipe, i, options.sources) };
    for (const name of Object.keys(identity)) {
      const stage = /^weights of (.+)$/.exec(name)?.[1];
      const path = name === BEGUN_WITH ? startFile(recipe, i, options) : stage && weightsFile(folderOf(stage, options));
      if (path && (await exists(path))) now[name] = await hashOfFile(path);
    }
    expectSameRun(folder, identity, now);
  }
}

/** @throws InputError if something was trained in the folder already */
async function expectNew(folder: string, recipe: StageRecipe, record: RunRecord | undefined): Promise<void> {
  const steps = await Promise.all(
    recipe.phases.map((_, i) => listCheckpoints(phaseFolder(recipe, join(folder, ".."), i))),
  );
  if (!record && steps.flat().length === 0) return;
  const found = isFinished(record) ? "a finished one" : "one that was stopped";
  throw new InputError(
    `${folder}: expected a new run, got ${found}. Resume it, remove the folder to train it again, or name another run folder.`,
  );
}

/**
 * All stages of a run share one model. What finished stages depend on stays as it is, so that a model that was taken apart
 * keeps its parts until a stage trains new ones. A variant, which is trained in a folder of its own, may differ from the
 * finished stage that it is a variant of, whose sizes stay. @throws InputError if this stage and another one need different
 * sizes
 */
async function shareSizes(root: string, sizes: ModelSizes, { name, definition }: StageRecipe): Promise<void> {
  const path = join(root, "model.json");
  const found = (await exists(path)) ? parseModelSizes(await readJsonFile(path), path) : undefined;
  if (!found) return writeFileAtomic(path, `${JSON.stringify(sizes.json, null, 2)}\n`);
  const needed = definition.sizes ?? [];
  const kept = new Set<SizeKey>();
  const shared = new Set<SizeKey>();
  for (const stage of STAGES) {
    if (stage.name === name || !(await exists(weightsFile(join(root, stage.name))))) continue;
    for (const key of stage.sizes ?? []) {
      kept.add(key);
      if (stage.name !== definition.name) shared.add(key);
    }
  }
  const common = needed.filter((key) => shared.has(key));
  const other = differingSize(found, sizes, common);
  if (other)
    throw new InputError(
      `${path}: expected ${other} as this recipe's model has it, got another. Name another run folder.`,
    );
  await takeSizes(path, found, sizes, [...needed.filter((key) => !kept.has(key)), ...SAMPLING]);
}

/** No weight depends on these, so they may change after training, too. */
const SAMPLING: readonly SizeKey[] = ["pipeline"];

/** Gives a run folder the settings of sampling that a recipe's model has. */
export async function takeSampling(root: string, sizes: ModelSizes): Promise<void> {
  const path = join(root, "model.json");
  await takeSizes(path, parseModelSizes(await readJsonFile(path), path), sizes, SAMPLING);
}

async function takeSizes(path: string, old: ModelSizes, from: ModelSizes, keys: readonly SizeKey[]): Promise<void> {
  if (!differingSize(old, from, keys)) return;
  await writeFileAtomic(path, `${JSON.stringify(withSizes(old, from, keys), null, 2)}\n`);
}

/** The recipe as it is trained. */
function written({ definition, name, about, paper, continues, phases }: StageRecipe): object {
  return { stage: definition.name, name, about, paper, continues, phases };
}
