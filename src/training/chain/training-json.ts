/** `training.json` of a model folder: the recipes, data, machine, hours and scores of its training. */
import { join } from "node:path";
import { z } from "zod";
import { exists, writeFileAtomic } from "../../io/files.ts";
import { hashOf } from "../../io/hash.ts";
import { parseWith, readJsonFile } from "../../io/json-file.ts";
import type { Identity } from "../loop/identity.ts";
import { commit, type Machine, machine } from "./provenance.ts";
import { readRunRecord } from "./run-record.ts";

/** Numbers by name, in groups; texts and lists among them are kept but never compared. */
export type Scores = Readonly<Record<string, unknown>>;

export interface TrainingRecord {
  readonly format: "seedling-training-1";
  /** Name of the chain, such as "mini"; absent for recipes that were trained one by one. */
  readonly chain?: string;
  /** Of the code that assembled the model. */
  readonly commit: string;
  readonly machine: Machine;
  readonly date: string;
  /** Hours of training, caches and evaluations left out. */
  readonly hours: number;
  readonly stages: readonly {
    readonly name: string;
    readonly stage: string;
    readonly hours: number;
    /** Hash of the recipes of all phases. */
    readonly recipe: string;
    readonly phases: readonly {
      readonly steps: number;
      readonly hours: number;
      /** What it was trained from: recipe, data, tokenizer, frozen weights, each by its hash. */
      readonly identity: Identity;
      readonly scores: Readonly<Record<string, number>>;
      readonly commit: string;
      readonly machine: Machine;
      readonly finishedAt: string;
    }[];
  }[];
  /** The last evaluation of each stage, and of the finished model. */
  readonly scores: Scores;
}

/** The record of the named stages of a run folder. Those that were not trained here (disassembled) are left out. */
export async function trainingRecord(
  root: string,
  names: readonly string[],
  scores: Scores = {},
  chain?: string,
): Promise<TrainingRecord> {
  const stages: TrainingRecord["stages"][number][] = [];
  for (const name of names) {
    const record = await readRunRecord(join(root, name));
    if (!record) continue;
    const phases = record.finished.map(({ seconds, ...phase }) => ({ ...phase, hours: hoursOf(seconds) }));
    const recipe = hashOf(...phases.map(({ identity }) => identity.recipe ?? ""));
    const hours = hoursOf(record.finished.reduce((sum, { seconds }) => sum + seconds, 0));
    stages.push({ name, stage: record.stage, hours, recipe, phases });
  }
  const own = stages.map(({ name, phases }) => [name, phases.at(-1)?.scores ?? {}] as const);
  return {
    format: "seedling-training-1",
    chain,
    commit: await commit(),
    machine: machine(),
    date: new Date().toISOString(),
    hours: hoursOfAll(stages),
    stages,
    scores: { ...Object.fromEntries(own), ...scores },
  };
}

/** Writes it into the model folder and into the run folder. */
export async function writeTrainingRecord(folders: readonly string[], record: TrainingRecord): Promise<void> {
  for (const folder of folders)
    await writeFileAtomic(join(folder, "training.json"), `${JSON.stringify(record, null, 2)}\n`);
}

const parseStages = parseWith(
  z.looseObject({
    format: z.literal("seedling-training-1"),
    chain: z.string().optional(),
    stages: z.array(z.looseObject({ name: z.string(), hours: z.number() })),
    scores: z.record(z.string(), z.unknown()),
  }),
);

/**
 * Adds stages of a run folder to the record of a model folder, in place of those with the same names. Scores of the model
 * as it was, which are of no stage, are dropped. Does nothing if none of the stages was trained here.
 */
export async function recordStages(folder: string, root: string, names: readonly string[]): Promise<void> {
  const added = await trainingRecord(root, names);
  if (added.stages.length === 0) return;
  const path = join(folder, "training.json");
  if (!(await exists(path))) return writeTrainingRecord([folder], added);
  const known = parseStages(await readJsonFile(path), path);
  const kept = known.stages.filter(({ name }) => added.stages.every((one) => one.name !== name));
  const stages = [...(kept as unknown as TrainingRecord["stages"]), ...added.stages];
  const scores = Object.entries(known.scores).filter(([group]) => kept.some(({ name }) => name === group));
  await writeTrainingRecord([folder], {
    ...added,
    chain: known.chain,
    hours: hoursOfAll(stages),
    stages,
    scores: { ...Object.fromEntries(scores), ...added.scores },
  });
}

function hoursOfAll(stages: TrainingRecord["stages"]): number {
  return Math.round(1000 * stages.reduce((sum, { hours }) => sum + hours, 0)) / 1000;
}

function hoursOf(seconds: number): number {
  return Math.round((1000 * seconds) / 3600) / 1000;
}
