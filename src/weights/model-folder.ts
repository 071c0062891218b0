/** Finding and opening checkpoints: a file of any supported format, or a folder in Hugging Face layout. */
import { startsWith } from "../base/bytes.ts";
import { InputError, SetupError } from "../base/errors.ts";
import { exists, kindOf, openByteSource } from "../io/files.ts";
import { listFolder } from "../io/folder.ts";
import { readJsonFile } from "../io/json-file.ts";
import { join } from "../io/paths.ts";
import { openSafetensors } from "./safetensors.ts";
import { openShardedSafetensors } from "./sharded.ts";
import type { TensorFile } from "./tensor-file.ts";
import { OLD_TORCH, openTorch } from "./torch-zip.ts";

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
  const candidates = WEIGHTS.map((name) => join(path, name));
  const file = (await kindOf(path)) === "folder" ? await expectFile(path, candidates) : path;
  if (file.endsWith(".index.json")) return openShardedSafetensors(file);
  return (await isTorch(file)) ? openTorch(file) : openSafetensors(file);
}

/** The first of `candidates` that exists. */
async function expectFile(folder: string, candidates: string[]): Promise<string> {
  if (!(await exists(folder))) throw new InputError(`${folder}: no such model folder. Check the path.`);
  for (const candidate of candidates) if (await exists(candidate)) return candidate;
  throw await withoutFile(folder, candidates[0] ?? "");
}

/** What to throw where a folder lacks a file: an empty one is probably not the folder that was meant. */
export async function withoutFile(folder: string, file: string): Promise<InputError | SetupError> {
  const names = await listFolder(folder).catch(() => undefined); // folders of a web server list nothing
  if (names?.length === 0)
    return new InputError(`${folder}: expected a model folder, got an empty folder. Check the path.`);
  return new SetupError(`${folder}: expected ${file}, found none. Copy the whole model folder again.`);
}

/** "PK\x03\x04". */
const ZIP = [0x50, 0x4b, 0x03, 0x04];

/** Zip archives and old torch files, by their first bytes; names such as `.bin` say nothing. */
async function isTorch(path: string): Promise<boolean> {
  const source = await openByteSource(path);
  try {
    const head = await source.read(0, Math.min(4, source.size));
    return startsWith(head, ZIP) || startsWith(head, OLD_TORCH);
  } finally {
    await source.close();
  }
}
