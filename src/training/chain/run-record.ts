/** `run.json` of a stage's folder: what it was trained from, when, where, and what it reached. */
import { join } from "node:path";
import { z } from "zod";
import { isMissing, writeFileAtomic } from "../../io/files.ts";
import { parseWith, readJsonFile } from "../../io/json-file.ts";
import { type Machine, machine } from "./provenance.ts";

const phase = z.object({
  /** Everything that the phase depends on -> a hash of it. */
  identity: z.record(z.string(), z.string()),
  steps: z.number(),
  /** Seconds of training. */
  seconds: z.number(),
  /** The last evaluation. */
  scores: z.record(z.string(), z.number()),
  finishedAt: z.string(),
  commit: z.string(),
  machine: z.object({ cpu: z.string(), cores: z.number(), memoryGb: z.number(), system: z.string() }),
});

const record = z.object({
  format: z.literal("seedling-run-1"),
  stage: z.string(),
  /** How many phases the recipe has. */
  phases: z.number(),
  finished: z.array(phase),
});

export type PhaseRecord = z.output<typeof phase>;
export type RunRecord = z.output<typeof record>;
const parse = parseWith(record);

/** The record of a stage's folder; undefined before its first phase is complete. */
export async function readRunRecord(folder: string): Promise<RunRecord | undefined> {
  const path = join(folder, "run.json");
  try {
    return parse(await readJsonFile(path), path);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

export async function writeRunRecord(folder: string, run: RunRecord): Promise<void> {
  await writeFileAtomic(join(folder, "run.json"), `${JSON.stringify(run, null, 2)}\n`);
}

export function isFinished(run: RunRecord | undefined): boolean {
  return run !== undefined && run.finished.length === run.phases;
}

export type { Machine };
export { machine };
