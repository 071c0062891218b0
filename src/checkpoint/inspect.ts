/** What a checkpoint holds: every file with its hash, every tensor with its dtype, shape and size. */

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { glob } from "tinyglobby";
import { SetupError } from "../errors.ts";
import { fileError } from "../files.ts";
import type { StoredDtype } from "./dtypes.ts";
import { openCheckpoint } from "./model-folder.ts";

export interface InspectedTensor {
  readonly name: string;
  readonly dtype: StoredDtype;
  readonly shape: readonly number[];
  readonly bytes: number;
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

/** @throws CheckpointError if the file is damaged. */
export async function inspectFile(path: string, { hash = true }: { hash?: boolean } = {}): Promise<InspectedFile> {
  const file = await openCheckpoint(path);
  try {
    const tensors = [...file.tensors].map(([name, { dtype, shape, byteLength }]) => ({
      name,
      dtype,
      shape,
      bytes: byteLength,
    }));
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
