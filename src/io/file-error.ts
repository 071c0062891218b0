/** The operating system's refusals, as one line. */
import { SeedlingError, SetupError } from "../base/errors.ts";
import { reason } from "../base/one-line.ts";

const REFUSALS: Readonly<Record<string, string>> = {
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
  const code = (error as { readonly code?: string } | null)?.code ?? "";
  return new SetupError(`${path}: ${REFUSALS[code] ?? `${reason(error)}.`}`, { cause: error });
}
