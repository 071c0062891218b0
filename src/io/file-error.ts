/** Errors of the operating system, as one line. */
import { InputError, SeedlingError, SetupError } from "../base/errors.ts";
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

/** Refusals that mean the path itself is wrong, rather than the machine it is on. */
const WRONG_PATH = new Set(["ENOENT", "ENOTDIR", "EISDIR"]);

/**
 * Turns an error of the file system while `path` is read into one line: an InputError if there is no such file, a
 * SetupError if the system refuses. A SeedlingError passes through.
 */
export function fileError(error: unknown, path: string): SeedlingError {
  if (error instanceof SeedlingError) return error;
  const [message, options] = [refusal(error, path), { cause: error }];
  return WRONG_PATH.has(codeOf(error)) ? new InputError(message, options) : new SetupError(message, options);
}

/** The same while `path` is written: always a SetupError, as the destination cannot take the file. */
export function placeError(error: unknown, path: string): SeedlingError {
  if (error instanceof SeedlingError) return error;
  const missing = codeOf(error) === "ENOENT";
  const message = missing
    ? `${path}: its folder does not exist. Make it first, or choose another place.`
    : refusal(error, path);
  return new SetupError(message, { cause: error });
}

/** Whether `error`, of the system or of `fileError`, means that there is no such file. */
export function isMissing(error: unknown): boolean {
  return codeOf(error) === "ENOENT" || (error instanceof SeedlingError && codeOf(error.cause) === "ENOENT");
}

function refusal(error: unknown, path: string): string {
  return `${path}: ${REFUSALS[codeOf(error)] ?? `${reason(error)}.`}`;
}

function codeOf(error: unknown): string {
  return (error as { readonly code?: string } | null | undefined)?.code ?? "";
}
