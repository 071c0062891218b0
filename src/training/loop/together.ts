/** What ranks that train together agree on. Each of these does nothing where a process trains alone. */
import { type Communicator, fromFirst } from "../../distributed/communicator.ts";
import { expectSameOnRanks } from "../../distributed/same.ts";
import { hashOf } from "../../io/hash.ts";
import type { Training } from "../../runtime/index.ts";
import type { Stage, Work } from "./loop.ts";
import type { MicroBatches } from "./micro-batches.ts";

/** Whether it is true on any rank: a signal to stop reaches them at different steps, and all stop after the same one. */
export async function onAnyRank(ranks: Communicator, condition: boolean): Promise<boolean> {
  const count = Float32Array.of(Number(condition));
  await ranks.sum(count);
  return count[0] !== 0;
}

/** @throws InputError if the parameters of a rank are not, bit for bit, those of rank 0 */
export async function expectSameWeights(ranks: Communicator, where: string, training: Training): Promise<void> {
  if (ranks.size === 1) return;
  await expectSameOnRanks(ranks, where, { weights: hashOf(...(await training.read("param"))) });
}

/** Adds up the gradients of all ranks. Undefined where there is nothing to add: `Training.update` takes its own. */
export async function sumOfGradients(ranks: Communicator, training: Training): Promise<Float32Array | undefined> {
  if (ranks.size === 1) return undefined;
  const gradients = await training.gradients();
  await ranks.sum(gradients);
  return gradients;
}

/** Rank 0 prepares the stage, and the others take over what it made. */
export async function prepareOnFirst(
  stage: Stage,
  training: Training,
  batches: MicroBatches,
  ranks: Communicator,
  work: Work,
): Promise<void> {
  if (ranks.rank === 0) await stage.prepare?.(training, batches.prepared(training), work);
  if (ranks.size === 1) return;
  const params: Float32Array[] = [];
  for (const values of await training.read("param")) params.push(await fromFirst(ranks, values));
  await training.write("param", params);
  const state = new Map<string, Float32Array>();
  for (const [name, values] of stage.state?.() ?? []) state.set(name, await fromFirst(ranks, values));
  stage.restore?.(state);
}
