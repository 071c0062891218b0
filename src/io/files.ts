/** Files: read with limits, written whole or not at all. `#storage` is the platform's implementation. */
import { storage } from "#storage";
import type { ByteSource } from "./byte-source.ts";
import type { FileWriter, Kind, ScratchFile } from "./storage.ts";

export { fileError, isMissing, placeError } from "./file-error.ts";
export type { FileWriter, Kind, ScratchFile } from "./storage.ts";

/** What is at `path`; undefined if there is nothing. */
export function kindOf(path: string): Promise<Kind | undefined> {
  return storage.kind(path);
}

/** Whether there is a file or folder, whatever it holds. */
export async function exists(path: string): Promise<boolean> {
  return (await storage.kind(path)) !== undefined;
}

/** Reads a whole file of at most `maxBytes`; the size is checked first. @throws InputError if it is missing or larger. */
export function readFileBounded(path: string, maxBytes: number): Promise<Uint8Array> {
  return storage.read(path, maxBytes);
}

/** A file that is read by range. @throws InputError if it is missing or a folder; SetupError if it cannot be read. */
export function openByteSource(path: string): Promise<ByteSource> {
  return storage.open(path);
}

/**
 * Whole files as ONNX Runtime takes them where there is no disk to map them from; undefined in Node.
 * @throws SetupError if one cannot be fetched; InputError if it is missing, or is not the one that its folder lists
 */
export async function loadFiles(paths: readonly string[]): Promise<readonly Blob[] | undefined> {
  const blobs = await Promise.all(paths.map((path) => storage.load(path)));
  return blobs.every((blob) => blob !== undefined) ? blobs : undefined;
}

/** Size of a file, bytes. @throws InputError if it is missing or a folder. */
export async function fileSize(path: string): Promise<number> {
  const source = await storage.open(path);
  await source.close();
  return source.size;
}

/** The path that links lead to. @throws InputError if there is nothing. */
export function realPath(path: string): Promise<string> {
  return storage.realpath(path);
}

/** Makes a folder and those above it. @throws SetupError if there is a file at `path` or the disk refuses. */
export function makeFolder(path: string): Promise<void> {
  return storage.makeFolder(path);
}

/** Copies a file. @throws InputError if it is missing; SetupError if the disk refuses. */
export function copyFile(from: string, to: string): Promise<void> {
  return storage.copy(from, to);
}

/**
 * Writes `bytes` to `path`, whole or not at all: a temporary file in the same folder, flushed to the disk, then renamed.
 *
 * @throws SetupError when the disk is full, the folder is missing or not writable, or `path` is a folder.
 */
export function writeFileAtomic(path: string, bytes: Uint8Array | string): Promise<void> {
  return storage.write(path, (file) => file.writeFile(bytes));
}

/** A temporary file for what is mapped while a program runs; undefined in a browser. @throws SetupError if the disk refuses. */
export function scratchFile(name: string, fill: (file: FileWriter) => Promise<void>): Promise<ScratchFile | undefined> {
  return storage.scratch(name, fill);
}

/** `writeFileAtomic` for contents that come in pieces: `fill` writes them. */
export function writeAtomic(path: string, fill: (file: FileWriter) => Promise<void>): Promise<void> {
  return storage.write(path, fill);
}
