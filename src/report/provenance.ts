/** By which recipes, by what code and on which machines a run was trained: from each stage's run.json, and training.json. */
import { z } from "zod";

const machine = z.object({ cpu: z.string(), cores: z.number(), memoryGb: z.number(), system: z.string() });

const phase = z.object({
  identity: z.record(z.string(), z.string()),
  commit: z.string(),
  machine,
  finishedAt: z.string(),
});

const stageRecord = z.object({ finished: z.array(phase) });
const trainingRecord = z.object({ chain: z.string(), commit: z.string(), machine, date: z.string() }).partial();

/** What is known of one stage. */
export interface StageProvenance {
  /** Hash of the recipe of each finished phase. */
  readonly recipes: readonly string[];
  readonly commits: readonly string[];
  readonly machines: readonly string[];
  readonly finishedAt: string | undefined;
}

/** @param json content of run.json; undefined, or anything else that it is not, gives an empty record */
export function stageProvenance(json: unknown): StageProvenance {
  const finished = stageRecord.safeParse(json).data?.finished ?? [];
  return {
    recipes: finished.map(({ identity }) => identity.recipe ?? "unknown"),
    commits: finished.map(({ commit }) => commit),
    machines: finished.map((one) => machineText(one.machine)),
    finishedAt: finished.at(-1)?.finishedAt,
  };
}

/** The facts at the top of a report, besides its hours. @param training content of training.json, once there is one */
export function runFacts(training: unknown, stages: readonly StageProvenance[]): [name: string, value: string][] {
  const whole = trainingRecord.safeParse(training).data ?? {};
  const machines = stages.flatMap((stage) => stage.machines).concat(whole.machine ? machineText(whole.machine) : []);
  const commits = stages.flatMap((stage) => stage.commits).concat(whole.commit ?? []);
  const last = whole.date ?? stages.findLast(({ finishedAt }) => finishedAt !== undefined)?.finishedAt;
  const facts: [string, readonly (string | undefined)[]][] = [
    ["recipe", [whole.chain]],
    ["machine", machines],
    ["commit", commits.map(shortCommit)],
    ["date", [last?.slice(0, 16).replace("T", " ").concat(" UTC")]],
  ];
  return facts.flatMap(([name, values]): [string, string][] => {
    const known = [...new Set(values.filter((value) => value !== undefined))];
    return known.length > 0 ? [[name, known.join("; ")]] : [];
  });
}

function machineText({ cpu, cores, memoryGb, system }: z.output<typeof machine>): string {
  return `${cpu}, ${cores} cores, ${memoryGb} GB, ${system}`;
}

/** Twelve digits of a hash, with its "+" for changed files; a version as it is. */
const shortCommit = (commit: string): string => commit.replace(/^([0-9a-f]{12})[0-9a-f]+/, "$1");
