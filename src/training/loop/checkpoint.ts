/**
 * Checkpoints of a run: parameters, moments, averages and the step, in one folder that appears whole or not at all.
 * All randomness of a run is drawn from its seed and the step, so the step is also the state of the generator and the
 * position in the data: a resumed run ends with the same bits as an uninterrupted one.
 */
import { randomBytes } from "node:crypto";
import { mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { CheckpointError } from "../../base/errors.ts";
import { item } from "../../base/item.ts";
import { placeError } from "../../io/files.ts";
import type { Kind, Training } from "../../runtime/index.ts";
import { openSafetensors, type TensorToWrite, writeSafetensors } from "../../weights/index.ts";
import { expectSameRun, type Identity } from "./identity.ts";

export interface RunState {
  /** Steps done. */
  readonly step: number;
  readonly identity: Identity;
  /** Seconds of training before this point. */
  readonly elapsedSeconds: number;
}

const KEPT = 2;
const PREFIX = "checkpoint-";
const TEMPORARY = ".tmp-";
/** Prefix of the names of the state that a stage keeps itself. */
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
 * Writes `run/checkpoint-<step>`. Once it is complete, it and the one before are kept; older ones, later ones of an earlier
 * run in the same folder, and what a killed process left half-written are removed.
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
        const { path, shape } = item(training.slots, i);
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

/**
 * Loads the newest complete checkpoint into `training`. Undefined if the run has none.
 * @throws InputError if it belongs to another run: another recipe, other data, other frozen weights
 */
export async function resumeCheckpoint(
  run: string,
  training: Training,
  averages: boolean,
  identity: Identity,
): Promise<(RunState & { readonly extra: ReadonlyMap<string, Float32Array> }) | undefined> {
  for (const step of (await listCheckpoints(run)).reverse()) {
    const folder = join(run, `${PREFIX}${step}`);
    let state: RunState;
    try {
      state = JSON.parse(await readFile(join(folder, "state.json"), "utf8")) as RunState;
    } catch {
      continue; // half deleted when the process was killed; the one before is complete
    }
    expectSameRun(run, state.identity, identity);
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
