/** Folders that appear whole or not at all. */

import { mkdir, mkdtemp, readdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { UsageError } from "../base/errors.ts";
import { fileError } from "./files.ts";

/**
 * Makes the folder `path`: `fill` writes into a temporary one beside it, which is renamed at the end.
 * @throws UsageError if there is something at `path` already, an empty folder excepted; SetupError if the disk refuses.
 */
export async function writeFolder(path: string, fill: (temporary: string) => Promise<void>): Promise<void> {
  const target = resolve(path);
  let temporary: string | undefined;
  try {
    await expectFree(path);
    await mkdir(dirname(target), { recursive: true });
    temporary = await mkdtemp(join(dirname(target), `.${basename(target)}.`));
    await fill(temporary);
    await rename(temporary, target);
  } catch (error) {
    if (temporary) await rm(temporary, { recursive: true, force: true }).catch(() => {});
    throw fileError(error, path);
  }
}

/** @throws UsageError if `path` is taken. Call it before long work, so that the work is not for nothing. */
export async function expectFree(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (!found) return;
  if (found.isDirectory() && (await readdir(path)).length === 0) return;
  throw new UsageError(`${path}: expected a folder that is new or empty, got something. Choose another name.`);
}
