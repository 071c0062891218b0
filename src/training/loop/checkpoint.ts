/**
 * Checkpoints of a run: parameters, moments, averages and the step, in one folder that appears whole or not at all.
 * Everything random in a run is drawn from its seed and the step, so the step is also the state of the generator and
 * the place in the data; resuming gives the same bits as never having stopped.
 */
import { randomBytes } from "node:crypto";
import { mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { CheckpointError, InputError } from "../../base/errors.ts";
import { placeError } from "../../io/files.ts";
import type { Kind, Training } from "../../runtime/index.ts";
import { openSafetensors, type TensorToWrite, writeSafetensors } from "../../weights/index.ts";

export interface RunState {
  /** Steps done. */
  readonly step: number;
  /** Hash of recipe and data: a run resumes only what it started. */
  readonly identity: string;
  /** Seconds of training before this point. */
  readonly elapsedSeconds: number;
}

const KEPT = 2;
const PREFIX = "checkpoint-";
const TEMPORARY = ".tmp-";
/** Names of what a stage itself remembers. */
const EXTRA = "stage/";

function kinds(averages: boolean): Kind[] {
  return averages ? ["param", "m", "v", "average"] : ["param", "m", "v"];
}

/** Step numbers of the complete checkpoints of a run folder, oldest first. */
export async function listCheckpoints(run: string): Promise<number[]> {
  const names = await readdir(run).catch(() => []);
  const steps = names.filter((n) => /^checkpoint-\d+$/.test(n)).map((n) => Number(n.slice(PREFIX.length)));
  return steps.sort((a, b) => a - b);
}

/**
 * Writes `run/checkpoint-<step>`. Once it is whole, it and the one before stay; older ones, those of an earlier run that
 * had come further, and what a killed process left half-written go.
 */
export async function saveCheckpoint(
  run: string,
  training: Training,
  averages: boolean,
  state: RunState,
  extra: ReadonlyMap<string, Float32Array> = new Map(),
): Promise<void> {
  const target = join(run, `${PREFIX}${state.step}`);
  const temporary = join(run, `${TEMPORARY}${randomBytes(6).toString("hex")}`);
  try {
    await mkdir(temporary, { recursive: true });
    const tensors: TensorToWrite[] = [];
    for (const kind of kinds(averages))
      for (const [i, data] of (await training.read(kind)).entries()) {
        const { path, shape } = training.slots[i]!;
        tensors.push({ name: `${kind}/${path}`, dtype: "F32", shape, data });
      }
    for (const [name, data] of extra)
      tensors.push({ name: `${EXTRA}${name}`, dtype: "F32", shape: [data.length], data });
    await writeSafetensors(join(temporary, "state.safetensors"), tensors);
    const file = await open(join(temporary, "state.json"), "wx");
    await file.writeFile(`${JSON.stringify(state)}\n`);
    await file.sync();
    await file.close();
    await rm(target, { recursive: true, force: true });
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true }).catch(() => {});
    throw placeError(error, target);
  }
  await sweep(run, state.step).catch((error: unknown) => {
    throw placeError(error, run);
  });
}

async function sweep(run: string, last: number): Promise<void> {
  const steps = await listCheckpoints(run);
  const kept = steps.filter((step) => step <= last).slice(-KEPT);
  const stale = steps.filter((step) => !kept.includes(step)).map((step) => `${PREFIX}${step}`);
  const left = (await readdir(run)).filter((name) => name.startsWith(TEMPORARY));
  for (const name of [...stale, ...left]) await rm(join(run, name), { recursive: true, force: true });
}

/** Loads the newest checkpoint that is whole into `training`. Undefined if the run has none. */
export async function resumeCheckpoint(
  run: string,
  training: Training,
  averages: boolean,
  identity: string,
): Promise<(RunState & { readonly extra: ReadonlyMap<string, Float32Array> }) | undefined> {
  for (const step of (await listCheckpoints(run)).reverse()) {
    const folder = join(run, `${PREFIX}${step}`);
    let state: RunState;
    try {
      state = JSON.parse(await readFile(join(folder, "state.json"), "utf8")) as RunState;
    } catch {
      continue; // left half-deleted by a kill; the one before is whole
    }
    if (state.identity !== identity)
      throw new InputError(`${folder}: expected a run of this recipe, got another one's. Use another run folder.`);
    const file = await openSafetensors(join(folder, "state.safetensors"));
    const extra = new Map<string, Float32Array>();
    try {
      for (const kind of kinds(averages))
        await training.write(
          kind,
          await Promise.all(training.slots.map(({ path }) => file.readFloat32(`${kind}/${path}`))),
        );
      for (const name of file.tensors.keys())
        if (name.startsWith(EXTRA)) extra.set(name.slice(EXTRA.length), await file.readFloat32(name));
    } catch (error) {
      if (error instanceof CheckpointError) throw new CheckpointError(`${folder}: ${error.message}`, error.problems);
      throw error;
    } finally {
      await file.close();
    }
    return { ...state, extra };
  }
  return undefined;
}
