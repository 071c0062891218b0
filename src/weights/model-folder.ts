/** Finding and opening checkpoints: a file of any supported format, or a folder in Hugging Face layout. */

import { open, stat } from "node:fs/promises";
import { join } from "node:path";
import { SetupError } from "../base/errors.ts";
import { exists, fileError } from "../io/files.ts";
import { readJsonFile } from "../io/json-file.ts";
import { openSafetensors } from "./safetensors.ts";
import { openShardedSafetensors } from "./sharded.ts";
import type { TensorFile } from "./tensor-file.ts";
import { openTorch } from "./torch-zip.ts";

export interface ModelFolder<Config> {
  readonly path: string;
  readonly config: Config;
  readonly weights: TensorFile;
}

/** In the order in which they are looked for. */
const WEIGHTS = ["model.safetensors", "model.safetensors.index.json", "model.pt"];

/**
 * Opens `config.json` and the weights of a folder; the caller closes `weights`.
 *
 * @param parse turns the JSON into a config or throws an InputError, for instance `parseWith(schema)`
 * @throws SetupError naming the file that is missing; InputError if a file is damaged.
 */
export async function openModelFolder<Config>(
  path: string,
  parse: (json: unknown, where: string) => Config,
): Promise<ModelFolder<Config>> {
  const configPath = join(path, "config.json");
  await expectFile(path, [configPath]);
  const config = parse(await readJsonFile(configPath), configPath);
  return { path, config, weights: await openCheckpoint(path) };
}

/** Opens a `.safetensors` file, an index of shards, a torch file, or the weights of a folder; the caller closes it. */
export async function openCheckpoint(path: string): Promise<TensorFile> {
  const status = await stat(path).catch((error: unknown) => {
    throw fileError(error, path);
  });
  const candidates = WEIGHTS.map((name) => join(path, name));
  const file = status.isDirectory() ? await expectFile(path, candidates) : path;
  if (file.endsWith(".index.json")) return openShardedSafetensors(file);
  return (await isTorch(file)) ? openTorch(file) : openSafetensors(file);
}

/** The first of `candidates` that exists. */
async function expectFile(folder: string, candidates: string[]): Promise<string> {
  if (!(await exists(folder))) throw new SetupError(`${folder}: no such model folder. Check the path.`);
  for (const candidate of candidates) if (await exists(candidate)) return candidate;
  throw new SetupError(`${folder}: expected ${candidates[0]}, found none. Copy the whole model folder again.`);
}

/** Zip archives and old torch files, by their first bytes; names such as `.bin` say nothing. */
async function isTorch(path: string): Promise<boolean> {
  try {
    const file = await open(path, "r");
    try {
      const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 0);
      return buffer.equals(Buffer.from("PK\x03\x04")) || buffer.equals(Buffer.of(0x80, 0x02, 0x8a, 0x0a));
    } finally {
      await file.close();
    }
  } catch (error) {
    throw fileError(error, path);
  }
}
