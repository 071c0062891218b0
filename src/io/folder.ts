/** Folders: listed, and written whole or not at all. */
import { storage } from "#storage";
import { UsageError } from "../base/errors.ts";

/** Names in a folder, sorted. @throws InputError if it is missing; SetupError if it cannot be read. */
export function listFolder(path: string): Promise<string[]> {
  return storage.list(path);
}

/**
 * Makes the folder `path`: `fill` writes into a temporary one next to it, which is renamed at the end.
 * @throws UsageError if there is something at `path` already, an empty folder excepted; SetupError if the disk refuses.
 */
export async function writeFolder(path: string, fill: (temporary: string) => Promise<void>): Promise<void> {
  await expectFree(path);
  await storage.writeFolder(path, fill);
}

/** @throws UsageError if `path` exists and is not an empty folder. Call it before long work, so that the work is not lost. */
export async function expectFree(path: string): Promise<void> {
  const found = await storage.kind(path);
  if (!found) return;
  if (found === "folder" && (await storage.list(path)).length === 0) return;
  throw new UsageError(`${path}: expected a folder that is new or empty, got something. Choose another name.`);
}
