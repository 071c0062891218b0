/** Folders that are replaced by renaming, so that nobody finds them half written. */
import { mkdtemp, rename, rm } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { exists, fileError } from "./files.ts";

/** `fill` writes into a temporary folder next to `path`, which then takes its place; what was there is removed. */
export async function replaceFolder(path: string, fill: (temporary: string) => Promise<void>): Promise<void> {
  const target = resolve(path);
  const temporary = await mkdtemp(join(dirname(target), `.${basename(target)}.`)).catch((error: unknown) => {
    throw fileError(error, path);
  });
  const before = `${temporary}-before`;
  try {
    await fill(temporary);
    if (await exists(target)) await rename(target, before);
    await rename(temporary, target);
  } catch (error) {
    if (!(await exists(target)) && (await exists(before))) await rename(before, target);
    throw fileError(error, path);
  } finally {
    await rm(temporary, { recursive: true, force: true });
    await rm(before, { recursive: true, force: true });
  }
}
