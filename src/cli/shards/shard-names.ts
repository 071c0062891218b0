/** How shards are found, and how their outputs are named: by what is in them, the model and the options. */
import { realpath, stat } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, resolve } from "node:path";
import { glob, isDynamicPattern } from "tinyglobby";
import { InputError, UsageError } from "../../base/errors.ts";
import { exists, fileError, readFileBounded, writeFileAtomic } from "../../io/files.ts";
import { listFolder } from "../../io/folder.ts";
import { fileSha256, hashOf } from "../../io/hash.ts";
import { onceEach, walkFolder } from "../../io/walk.ts";
import type { Report } from "../report.ts";

/** Shards that the arguments name: tars, globs, folders of tars. What cannot be used is reported. @throws UsageError for standard input */
export async function findShards(inputs: readonly string[], report: Report): Promise<string[]> {
  if (inputs.includes("-"))
    throw new UsageError(
      "tokenize --shards: expected files, got standard input, which has no name. Write it to one file with -o.",
    );
  const found: string[] = [];
  for (const input of inputs)
    try {
      found.push(...(await expand(input)));
    } catch (error) {
      report.problem(error);
    }
  return onceEach(found);
}

async function expand(input: string): Promise<string[]> {
  const status = await stat(input).catch((error: unknown) => {
    if (isDynamicPattern(input)) return undefined;
    throw fileError(error, input);
  });
  const tars = status?.isDirectory()
    ? (await walkFolder(input)).filter(({ regular }) => regular).map(({ name }) => join(input, name))
    : status
      ? [input]
      : await glob(input, { absolute: isAbsolute(input) });
  const shards = tars.filter((name) => name.toLowerCase().endsWith(".tar"));
  if (shards.length > 0) return shards;
  throw new InputError(`${input}: expected tar shards, found none.`);
}

/** The files of a model folder that codes depend on. */
const MODEL_FILE = /^(config|preprocessor_config)\.json$|\.safetensors(\.index\.json)?$/;

/** The hash of a model folder: of all that codes depend on. The image decoder, in folders below, is not part of it. */
export async function modelHash(folder: string): Promise<string> {
  const names = (await listFolder(folder)).filter((name) => MODEL_FILE.test(name));
  const hashes: string[] = [];
  for (const name of names) hashes.push(name, await fileSha256(join(folder, name)));
  return hashOf(...hashes);
}

/** SHA-256 of shards, kept in `folder` by path, size and time of the last change, so that each is read once for it. */
export async function shardHash(path: string, folder: string): Promise<string> {
  const before = await stampOf(path);
  const kept = join(folder, `${hashOf(before)}.hash`);
  if (await exists(kept)) return new TextDecoder().decode(await readFileBounded(kept, 64));
  const hash = await fileSha256(path);
  await expectUnchanged(path, before);
  await writeFileAtomic(kept, hash);
  return hash;
}

/** Path, size and time of the last change. @throws InputError if there is no such file */
export async function stampOf(path: string): Promise<string> {
  try {
    const { size, mtimeMs } = await stat(path);
    return `${await realpath(path)} ${size} ${mtimeMs}`;
  } catch (error) {
    throw fileError(error, path);
  }
}

/** @throws InputError if the file is not what it was */
export async function expectUnchanged(path: string, before: string): Promise<void> {
  if ((await stampOf(path)) !== before)
    throw new InputError(`${path}: the shard changed while it was read. Run again when it is complete.`);
}

/** Characters of a shard's name that its output keeps. */
const MOST = 60;

/** "000017-0123456789abcdef": the shard's name and the hash of all that its codes depend on, without an ending. */
export function outputName(path: string, ...parts: readonly string[]): string {
  const stem = [...basename(path).replace(/\.tar$/i, "")].slice(0, MOST).join("");
  return `${stem}-${hashOf(...parts)}`;
}

/** Outputs of this format would be shards of the next run. @throws UsageError if one is in the folder of outputs */
export function expectElsewhere(shards: readonly string[], out: string): void {
  const inside = shards.find((path) => dirname(resolve(path)) === resolve(out));
  if (inside !== undefined)
    throw new UsageError(
      `${out}: expected a folder without the shards, as tars are written there, got that of ${inside}. Name another: --shards.`,
    );
}
