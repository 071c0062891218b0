/** What a checkpoint holds: every file with its hash, every tensor with its dtype, shape and size. */

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { glob } from "tinyglobby";
import { SetupError } from "../base/errors.ts";
import { fileError } from "../io/files.ts";
import type { StoredDtype } from "./dtypes.ts";
import { openCheckpoint } from "./model-folder.ts";
import { notFiniteValues } from "./not-finite.ts";

export interface InspectedTensor {
  readonly name: string;
  readonly dtype: StoredDtype;
  readonly shape: readonly number[];
  readonly bytes: number;
  /** Values that are NaN or infinite. Absent if the tensor was not looked at: without the hash, or if it is strided or packed. */
  readonly notFinite?: number;
}

export interface InspectedFile {
  readonly file: string;
  readonly bytes: number;
  /** Of the whole file, hexadecimal. */
  readonly sha256?: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: readonly InspectedTensor[];
}

/** The files with tensors at `path`: itself, or those of a folder and the folders in it. @throws SetupError if there are none. */
export async function checkpointFiles(path: string): Promise<string[]> {
  const status = await stat(path).catch((error: unknown) => {
    throw fileError(error, path);
  });
  if (!status.isDirectory()) return [path];
  const names = await glob("**/*.{safetensors,pt,pth,bin}", { cwd: path, deep: 3, onlyFiles: true });
  if (names.length > 0) return names.sort().map((name) => join(path, name));
  throw new SetupError(`${path}: expected files with tensors (.safetensors, .pt, .pth, .bin), found none.`);
}

/** With `hash` the whole file is read, its numbers too. @throws CheckpointError if the file is damaged. */
export async function inspectFile(path: string, { hash = true }: { hash?: boolean } = {}): Promise<InspectedFile> {
  const file = await openCheckpoint(path);
  try {
    const counts = hash ? await notFiniteValues(path, file.tensors) : new Map<string, number>();
    const tensors = [...file.tensors].map(([name, { dtype, shape, byteLength }]) => {
      const notFinite = counts.get(name);
      return { name, dtype, shape, bytes: byteLength, ...(notFinite === undefined ? {} : { notFinite }) };
    });
    const { size } = await stat(path);
    const metadata = Object.fromEntries(file.metadata);
    return { file: path, bytes: size, ...(hash ? { sha256: await sha256(path) } : {}), metadata, tensors };
  } finally {
    await file.close();
  }
}

/** Of a file's contents, hexadecimal; the file is read piece by piece. */
export async function sha256(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path, { highWaterMark: 2 ** 20 }), hash).catch((error: unknown) => {
    throw fileError(error, path);
  });
  return hash.digest("hex");
}
