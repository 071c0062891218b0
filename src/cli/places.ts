/** Whether results can be written where they are to go, asked before the work. */
import { constants } from "node:fs";
import { access, open, realpath, rm, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { placeError } from "../io/files.ts";

/**
 * Finds out before long work whether a file can be written at `path`: its folder exists and is writable, and there is no
 * folder of that name. @throws SetupError if not
 */
export async function expectFilePlace(path: string): Promise<void> {
  try {
    const existing = await stat(path).catch(ignoreMissing);
    if (existing?.isDirectory()) throw Object.assign(new Error("is a directory"), { code: "EISDIR" });
    if (existing && !existing.isFile()) await access(path, constants.W_OK);
    else await expectWritableFolder(dirname(existing ? await realpath(path) : path));
  } catch (error) {
    throw placeError(error, path);
  }
}

/** The same for a folder that is made if it is missing, with those above it. @throws SetupError if it cannot be */
export async function expectFolderPlace(path: string): Promise<void> {
  try {
    let nearest = resolve(path);
    while (!(await stat(nearest).catch(ignoreMissing))) nearest = dirname(nearest);
    await expectWritableFolder(nearest);
  } catch (error) {
    throw placeError(error, path);
  }
}

async function expectWritableFolder(path: string): Promise<void> {
  if (!(await stat(path)).isDirectory()) throw Object.assign(new Error("is a file"), { code: "EEXIST" });
  // Permissions do not always tell the truth, so a file is made there and removed.
  const probe = join(path, `.seedling-${process.pid}-${Date.now()}.tmp`);
  await (await open(probe, "wx")).close();
  await rm(probe);
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT") throw error;
}
