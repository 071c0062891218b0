/** A finished stage whose recipe has got further phases. */
import { readdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { makeFolder } from "../../io/files.ts";
import { type RunRecord, writeRunRecord } from "./run-record.ts";

/** What a folder of several phases keeps outside of theirs. */
const OF_THE_STAGE = /^(recipe\.json|run\.json|phase-\d+)$/;

/**
 * Makes the files of a stage with `record.phases` finished phases those of the last of them, so that it goes on with the next.
 * Repeated after an interruption, it does the rest.
 */
export async function lengthen(folder: string, record: RunRecord, phases: number): Promise<void> {
  const last = join(folder, `phase-${record.phases}`);
  await makeFolder(last);
  for (const name of await readdir(folder))
    if (!OF_THE_STAGE.test(name)) await rename(join(folder, name), join(last, name));
  await writeRunRecord(folder, { ...record, phases });
}
