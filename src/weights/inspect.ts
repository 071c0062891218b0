/** What a checkpoint holds: every file with its hash, every tensor with its dtype, shape and size. */
import { InputError } from "../base/errors.ts";
import { fileSize, kindOf, realPath } from "../io/files.ts";
import { listFolder } from "../io/folder.ts";
import { fileSha256 } from "../io/hash.ts";
import { join } from "../io/paths.ts";
import type { StoredDtype } from "./dtypes.ts";
import { openCheckpoint } from "./model-folder.ts";
import { notFiniteValues } from "./not-finite.ts";
import { unwrapNames } from "./state-dict.ts";

export interface InspectedTensor {
  readonly name: string;
  readonly dtype: StoredDtype;
  readonly shape: readonly number[];
  readonly bytes: number;
  /** Values that are NaN or infinite. Absent if the tensor was not checked: without the hash, or if it is strided or packed. */
  readonly notFinite?: number;
}

export interface InspectedFile {
  readonly file: string;
  readonly bytes: number;
  /** Of the whole file, hexadecimal. */
  readonly sha256?: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** Of a trainer's file: the key under which the tensors are. */
  readonly section?: string;
  /** Tensors of the file that are not listed, in words: `"best_acc1"`, `12 under "ema"`. */
  readonly elsewhere?: readonly string[];
  /** Parts of the names that training wrappers added, such as `module.`; an import removes them. */
  readonly wrappers?: readonly string[];
  readonly tensors: readonly InspectedTensor[];
}

/** The files with tensors at `path`: itself, or those of a folder and the folders in it. @throws InputError if there are none. */
export async function checkpointFiles(path: string): Promise<string[]> {
  if ((await kindOf(await realPath(path))) !== "folder") return [path];
  const files = (await filesIn(path, MAX_DEPTH)).filter((file) =>
    /\.(safetensors|pt|pth|pth\.tar|ckpt|bin)$/.test(file),
  );
  if (files.length > 0) return files.sort();
  throw new InputError(`${path}: expected files with tensors (.safetensors, .pt, .pth, .bin), found none.`);
}

/** Subfolders are searched to this depth. */
const MAX_DEPTH = 3;

async function filesIn(folder: string, depth: number): Promise<string[]> {
  const found: string[] = [];
  for (const name of await listFolder(folder)) {
    if (name.startsWith(".")) continue;
    const path = join(folder, name);
    const kind = await kindOf(path);
    if (kind === "file") found.push(path);
    if (kind === "folder" && depth > 0) found.push(...(await filesIn(path, depth - 1)));
  }
  return found;
}

/** With `hash` the whole file is read, its numbers too. @throws CheckpointError if the file is damaged. */
export async function inspectFile(path: string, { hash = true }: { hash?: boolean } = {}): Promise<InspectedFile> {
  const file = await openCheckpoint(path);
  try {
    const counts = hash ? await notFiniteValues(path, file.tensors) : new Map<string, number>();
    const tensors = [...file.tensors].map(([name, { dtype, shape, byteLength }]) => {
      const notFinite = counts.get(name);
      return { name, dtype, shape, bytes: byteLength, notFinite };
    });
    const bytes = await fileSize(path);
    const metadata = Object.fromEntries(file.metadata);
    const { section, elsewhere = [] } = file;
    const { wrappers } = unwrapNames(file.tensors.keys());
    return {
      file: path,
      bytes,
      sha256: hash ? await fileSha256(path) : undefined,
      metadata,
      section,
      elsewhere: elsewhere.length > 0 ? elsewhere : undefined,
      wrappers: wrappers.length > 0 ? wrappers : undefined,
      tensors,
    };
  } finally {
    await file.close();
  }
}
