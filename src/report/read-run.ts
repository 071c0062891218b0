/** What a run folder holds, read for a report while the run may still be writing: logs, recipes, sheets, training.json. */
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { InputError } from "../base/errors.ts";
import { readFileBounded } from "../io/files.ts";
import { type StageProvenance, stageProvenance } from "./provenance.ts";

/** Points of one quantity over the steps of a stage; the steps of later phases follow those of earlier ones. */
export interface Curve {
  readonly name: string;
  readonly steps: number[];
  readonly values: number[];
}

/** A picture that a stage wrote while it trained. */
export interface Sheet {
  readonly name: string;
  readonly step: number | undefined;
  readonly path: string;
}

export interface StageReport {
  readonly name: string;
  /** Step of the last log line, and the number of steps planned. */
  readonly step: number;
  readonly steps: number;
  readonly seconds: number;
  readonly leftSeconds: number;
  /** Whether the stage's final weights are there. */
  readonly finished: boolean;
  readonly curves: readonly Curve[];
  readonly warnings: readonly string[];
  readonly sheets: readonly Sheet[];
  readonly recipe: unknown;
  readonly provenance: StageProvenance;
}

export interface RunReport {
  readonly folder: string;
  readonly stages: readonly StageReport[];
  /** Content of training.json, once the run is complete. */
  readonly training: unknown;
}

const LOG = "log.jsonl";
const [MAX_LOG, MAX_JSON, MAX_DEPTH] = [256e6, 4e6, 3];
/** Keys of a log line that are not curves. */
const BOOKKEEPING = new Set(["step", "steps", "elapsedSeconds", "leftSeconds", "phase", "phases"]);

/** @throws InputError if there is no such folder, or nothing in it was ever trained. */
export async function readRun(folder: string): Promise<RunReport> {
  const found = await stat(folder).catch(() => undefined);
  if (!found?.isDirectory()) throw new InputError(`${folder}: expected a run folder, found none. Check the path.`);
  const logs = await findLogs(folder, "", 0);
  if (logs.length === 0)
    throw new InputError(`${folder}: expected a run folder with ${LOG} in it, found none. Train a stage first.`);
  const byStage = new Map<string, string[]>();
  for (const path of logs) {
    const stage = path.split("/")[0] ?? "";
    byStage.set(stage, [...(byStage.get(stage) ?? []), path]);
  }
  const stages = await Promise.all([...byStage].map(([name, parts]) => readStage(folder, name, parts)));
  stages.sort((a, b) => a.begun - b.begun);
  return { folder, stages, training: await readJson(join(folder, "training.json")) };
}

/** Folders below `folder` that hold a log, in alphabetical order, "" for the folder itself. */
async function findLogs(folder: string, path: string, depth: number): Promise<string[]> {
  const entries = await readdir(join(folder, path), { withFileTypes: true });
  const here = entries.some((e) => e.isFile() && e.name === LOG) ? [path] : [];
  if (depth === MAX_DEPTH) return here;
  const folders = entries.filter((e) => e.isDirectory() && !e.name.startsWith(".")).map((e) => e.name);
  folders.sort(new Intl.Collator("en", { numeric: true }).compare);
  const below = await Promise.all(folders.map((name) => findLogs(folder, path ? `${path}/${name}` : name, depth + 1)));
  return [...here, ...below.flat()];
}

async function readStage(
  folder: string,
  name: string,
  parts: readonly string[],
): Promise<StageReport & { readonly begun: number }> {
  const curves = new Map<string, Curve>();
  const warnings: string[] = [];
  const sheets: Sheet[] = [];
  let [base, step, steps, seconds, leftSeconds] = [0, 0, 0, 0, 0];
  for (const part of parts) {
    const path = join(folder, part);
    let [last, planned, elapsed] = [0, 0, 0];
    for (const line of await readLog(join(path, LOG))) {
      const at = Number(line.step ?? 0);
      last = Math.max(last, at);
      planned = Number(line.steps ?? planned);
      elapsed = Number(line.elapsedSeconds ?? elapsed);
      leftSeconds = Number(line.leftSeconds ?? leftSeconds);
      if (typeof line.warning === "string") warnings.push(`step ${base + at}: ${line.warning}`);
      for (const [key, value] of Object.entries(line)) {
        if (BOOKKEEPING.has(key) || typeof value !== "number" || !Number.isFinite(value)) continue;
        if (line.step === undefined) continue;
        const curve = curves.get(key) ?? { name: key, steps: [], values: [] };
        curve.steps.push(base + at);
        curve.values.push(value);
        curves.set(key, curve);
      }
    }
    sheets.push(...(await readSheets(path, base)));
    [step, steps, seconds] = [base + last, base + Math.max(planned, last), seconds + elapsed];
    base += Math.max(planned, last);
  }
  const root = join(folder, name);
  const { birthtimeMs, mtimeMs } = await stat(join(folder, parts[0] ?? name, LOG));
  const weights = await stat(join(root, "weights.safetensors")).catch(() => undefined);
  const recipe = await readJson(join(root, "recipe.json"));
  const provenance = stageProvenance(await readJson(join(root, "run.json")));
  const shown = { name: name || "run", step, steps, seconds, leftSeconds, warnings, sheets, recipe, provenance };
  return { ...shown, curves: [...curves.values()], finished: Boolean(weights), begun: birthtimeMs || mtimeMs };
}

/** The lines of a log that are whole: the last may be half written. */
async function readLog(path: string): Promise<Readonly<Record<string, unknown>>[]> {
  const text = new TextDecoder().decode(await readFileBounded(path, MAX_LOG));
  return text.split("\n").flatMap((line) => {
    try {
      const value: unknown = JSON.parse(line);
      return value && typeof value === "object" ? [value as Record<string, unknown>] : [];
    } catch {
      return [];
    }
  });
}

async function readSheets(path: string, base: number): Promise<Sheet[]> {
  const names = (await readdir(path)).filter((name) => name.endsWith(".png"));
  const sheets = names.map((name) => {
    const step = /-(\d+)\.png$/.exec(name)?.[1];
    return { name, step: step === undefined ? undefined : base + Number(step), path: join(path, name) };
  });
  return sheets.sort((a, b) => (a.step ?? 0) - (b.step ?? 0) || a.name.localeCompare(b.name));
}

/** A JSON file that may be missing or half written. */
async function readJson(path: string): Promise<unknown> {
  const size = (await stat(path).catch(() => undefined))?.size ?? 0;
  if (size === 0 || size > MAX_JSON) return undefined;
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch {
    return undefined;
  }
}
