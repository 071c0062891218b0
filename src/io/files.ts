/** Files that appear whole or not at all, and the operating system's refusals as one line. */

import { randomBytes } from "node:crypto";
import { type FileHandle, mkdir, open, realpath, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { InputError, SeedlingError, SetupError } from "../base/errors.ts";
import { reason } from "../base/one-line.ts";

const REFUSALS: Record<string, string> = {
  ENOENT: "no such file or folder. Check the path.",
  ENOTDIR: "a part of this path is a file, not a folder. Check the path.",
  EEXIST: "expected a folder, got a file. Choose another place.",
  EISDIR: "expected a file, got a folder. Name a file.",
  EACCES: "permission denied. Check who owns the file and its folder.",
  EPERM: "the system does not permit this. Check who owns the file and its folder.",
  EROFS: "the file system is read-only. Choose another place.",
  ENOSPC: "the disk is full; nothing was written. Free some space or choose another place.",
  EDQUOT: "the disk quota is used up; nothing was written. Free some space or choose another place.",
  EFBIG: "the file is larger than the system permits. Choose another place.",
  EMFILE: "too many open files. Raise the limit (ulimit -n).",
  ENAMETOOLONG: "the name is too long. Choose a shorter one.",
};

/** Turns an error of the file system at `path` into a SetupError of one line; a SeedlingError passes through. */
export function fileError(error: unknown, path: string): SeedlingError {
  if (error instanceof SeedlingError) return error;
  const code = (error as NodeJS.ErrnoException | null)?.code ?? "";
  return new SetupError(`${path}: ${REFUSALS[code] ?? `${reason(error)}.`}`, { cause: error });
}

/** Whether there is a file or folder, whatever it holds. */
export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** Makes a folder and those above it. @throws SetupError when there is a file in its place, or the disk refuses. */
export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
  } catch (error) {
    throw fileError(error, path);
  }
}

/**
 * Writes `bytes` to `path`, whole or not at all: a temporary file in the same folder, flushed to the disk, then renamed.
 *
 * @throws SetupError when the disk is full, the folder is missing or not writable, or `path` is a folder.
 */
export function writeFileAtomic(path: string, bytes: Uint8Array | string): Promise<void> {
  return writeAtomic(path, (file) => file.writeFile(bytes));
}

/** `writeFileAtomic` for contents that come in pieces: `write` fills the temporary file. */
export async function writeAtomic(path: string, write: (file: FileHandle) => Promise<void>): Promise<void> {
  let temporary: string | undefined;
  try {
    const existing = await stat(path).catch(ignoreMissing);
    if (existing?.isDirectory()) throw Object.assign(new Error("is a directory"), { code: "EISDIR" });
    // A device or a pipe (/dev/null, /dev/stdout) must be written to, never replaced.
    if (existing && !existing.isFile()) return await fill(path, "w", write);
    const target = existing ? await realpath(path) : path;
    temporary = join(dirname(target), `.${basename(target)}.${randomBytes(6).toString("hex")}.tmp`);
    await fill(temporary, "wx", write, true);
    await rename(temporary, target);
  } catch (error) {
    if (temporary) await rm(temporary, { force: true }).catch(() => {});
    throw fileError(error, path);
  }
}

/** Reads a whole file of at most `maxBytes`; the size is looked at first. @throws SetupError, or InputError if larger. */
export async function readFileBounded(path: string, maxBytes: number): Promise<Uint8Array> {
  try {
    const file = await open(path, "r");
    try {
      const status = await file.stat();
      if (!status.isFile() && !status.isDirectory()) throw new InputError(`${path}: expected a regular file.`);
      if (status.size > maxBytes)
        throw new InputError(`${path}: expected at most ${maxBytes} bytes, got ${status.size}.`);
      return await file.readFile();
    } finally {
      await file.close();
    }
  } catch (error) {
    throw fileError(error, path);
  }
}

async function fill(path: string, flags: string, write: (file: FileHandle) => Promise<void>, sync = false) {
  const file = await open(path, flags);
  try {
    await write(file);
    if (sync) await file.sync();
  } finally {
    await file.close();
  }
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT") throw error;
}
